/* SPDX-License-Identifier: MIT */
#include "tests/teacher/response.h"

#include <inttypes.h>
#include <strings.h>

enum { CHUNK = 512, BLOCK = 64 << 10 };

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *words;
    } known[] = {
        {200, "OK"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {404, "Not Found"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].words;
    return "Status";
}

/* A header of the script stands in for the ordinary one of the same name. */
static bool brings(const struct step *step, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; step != NULL && i < step->n_headers; i++)
        if (step->headers[i].n > n && step->headers[i].p[n] == ':' &&
            strncasecmp(step->headers[i].p, name, n) == 0)
            return true;
    return false;
}

static void add_header(struct buf *out, const char *name, struct span value)
{
    if (value.p == NULL)
        return;
    buf_text(out, name);
    buf_span(out, value);
    buf_text(out, "\r\n");
}

static void add_head(struct buf *out, int status, const struct step *step,
                     bool keep_alive)
{
    buf_format(out, "HTTP/1.1 %d %s\r\nServer: fake-teacher\r\n", status, reason(status));
    if (!brings(step, "content-type"))
        buf_text(out, "Content-Type: application/json\r\n");
    if (!keep_alive && !brings(step, "connection"))
        buf_text(out, "Connection: close\r\n");
    if (step == NULL)
        return;
    add_header(out, "Retry-After: ", step->retry_after);
    add_header(out, "Location: ", step->location);
    for (size_t i = 0; i < step->n_headers; i++)
        add_header(out, "", step->headers[i]);
}

static void add_chunks(struct buf *out, struct span body)
{
    for (size_t at = 0, n; at < body.n; at += n) {
        n = body.n - at < CHUNK ? body.n - at : CHUNK;
        buf_format(out, "%zx\r\n", n);
        buf_add(out, body.p + at, n);
        buf_text(out, "\r\n");
    }
    buf_text(out, "0\r\n\r\n");
}

void plan_init(struct plan *plan)
{
    *plan = (struct plan){0};
    buf_init(&plan->out, SIZE_MAX / 2);
    buf_init(&plan->scratch, 2 * BLOCK);
}

void plan_reset(struct plan *plan)
{
    struct buf out = plan->out, scratch = plan->scratch;
    buf_reset(&out);
    buf_reset(&scratch);
    *plan = (struct plan){.out = out, .scratch = scratch};
}

void plan_clear(struct plan *plan)
{
    buf_clear(&plan->out);
    buf_clear(&plan->scratch);
}

void response_say(struct plan *plan, int status, struct span body,
                  const struct step *step, bool keep_alive)
{
    bool chunked = step != NULL && step->chunked;
    bool keep = keep_alive && !(step != NULL && step->closing);
    add_head(&plan->out, status, step, keep);
    if (chunked)
        buf_text(&plan->out, "Transfer-Encoding: chunked\r\n");
    else if (!brings(step, "content-length"))
        buf_format(&plan->out, "Content-Length: %zu\r\n", body.n);
    buf_text(&plan->out, "\r\n");
    plan->head = plan->out.n;
    if (chunked)
        add_chunks(&plan->out, body);
    else
        buf_span(&plan->out, body);
    plan->status = status;
    plan->bytes = buf_view(&plan->out);
    plan->stop = plan->bytes.n;
    plan->ending = keep ? ENDING_KEEP : ENDING_CLOSE;
}

static size_t least(int64_t a, size_t b)
{
    return (uint64_t)a < b ? (size_t)a : b;
}

void response_shape(struct plan *plan, const struct step *step, bool keep_alive)
{
    static const enum ending endings[] = {
        [STEP_CUT] = ENDING_CLOSE,   [STEP_RESET] = ENDING_RESET,
        [STEP_CLOSE] = ENDING_CLOSE, [STEP_HANG] = ENDING_HANG,
        [STEP_KILL] = ENDING_KILL,
    };
    plan->stop = plan->bytes.n;
    plan->delay_ms = step->delay_ms;
    plan->ending = keep_alive && !step->closing ? ENDING_KEEP : ENDING_CLOSE;
    if (step->kind == STEP_DRIP) {
        plan->piece = (size_t)step->amount;
        plan->every_ms = step->every_ms;
    }
    if (step->kind == STEP_REPLY || step->kind == STEP_DRIP)
        return;
    plan->ending = endings[step->kind];
    plan->stop = step->kind == STEP_CUT
                     ? plan->head + least(step->amount, plan->bytes.n - plan->head)
                     : least(step->after, plan->bytes.n);
}

/* ---- bombs ---------------------------------------------------------------------------- */

/* Bits as deflate wants them (RFC 1951): the first one lowest, Huffman codes from the top. */
struct bits {
    struct buf *out;
    unsigned held, n;
};

static void put_code(struct bits *bits, unsigned code, unsigned length)
{
    while (length-- > 0) {
        bits->held |= (code >> length & 1) << bits->n;
        if (++bits->n == 8) {
            buf_byte(bits->out, (char)bits->held);
            bits->held = bits->n = 0;
        }
    }
}

enum {
    MATCH = 258,              /* bytes one code repeats */
    PERIOD = 13,              /* bytes that eight such codes with distance 1 fill */
    PERIODS = BLOCK / PERIOD, /* in a block */
    BLOCK_DECODED = PERIODS * 8 * MATCH, /* about 10 MB */
};

/* A gzip stream of one blank repeated for ever: its head goes into `head`, what can be
 * repeated into `block`. The last blank's code begins in the middle of a byte; its end
 * there is 000, as is the end of a match, so that every period looks the same. The stream
 * has no end of its own. */
static void add_gzip(struct buf *head, struct buf *block)
{
    static const char magic[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";
    struct bits bits = {.out = head};
    struct buf period;
    buf_init(&period, PERIOD);
    buf_add(head, magic, sizeof magic - 1);
    put_code(&bits, 1, 1); /* the last block … */
    put_code(&bits, 2, 2); /* … with fixed codes: 01, lowest bit first */
    put_code(&bits, 0x30 + ' ', 8);
    bits.out = &period;
    for (int i = 0; i < 8; i++) {
        put_code(&bits, 0xc5, 8); /* length 258 */
        put_code(&bits, 0, 5);    /* distance 1 */
    }
    for (int i = 0; i < PERIODS; i++)
        buf_span(block, buf_view(&period));
    buf_clear(&period);
}

static void add_chunk(struct buf *out, struct span bytes)
{
    buf_format(out, "%zx\r\n", bytes.n);
    buf_span(out, bytes);
    buf_text(out, "\r\n");
}

/* One long blank in `block`, and what stands before it in the reply. */
static void make_blanks(struct plan *plan, bool gzip, struct buf *block)
{
    struct buf start;
    buf_init(&start, CHUNK);
    if (gzip) {
        add_gzip(&start, block);
        add_chunk(&plan->out, buf_view(&start));
    } else if (buf_reserve(block, BLOCK)) {
        memset(block->p, ' ', BLOCK);
        block->n = BLOCK;
    }
    buf_clear(&start);
}

void response_bomb(struct plan *plan, const struct step *step)
{
    uint64_t decoded = step->gzip ? BLOCK_DECODED : BLOCK;
    struct buf block;
    buf_init(&block, BLOCK);
    add_head(&plan->out, step->status, step, true);
    buf_text(&plan->out, step->gzip ? "Content-Encoding: gzip\r\n" : "");
    buf_text(&plan->out, "Transfer-Encoding: chunked\r\n\r\n");
    plan->head = plan->out.n;
    make_blanks(plan, step->gzip, &block);
    add_chunk(&plan->scratch, buf_view(&block));
    buf_clear(&block);
    plan->status = step->status;
    plan->bytes = buf_view(&plan->out);
    plan->stop = plan->bytes.n;
    plan->delay_ms = step->delay_ms;
    plan->filler = buf_view(&plan->scratch);
    plan->repeat = ((uint64_t)step->amount + decoded - 1) / decoded;
    plan->last = SPAN_LITERAL("0\r\n\r\n");
    plan->ending = ENDING_KEEP;
}
