/* SPDX-License-Identifier: MIT */
/* bench_store: what planning and settling cost, without network or codec.
 *
 *   bench_store DIRECTORY [PROMPTS [BODY-FILE]]
 *
 * Prints `name value unit`; times are processor time of the whole process. Answers are
 * committed 64 at a time, each batch with its intents, as a run does. BODY-FILE is a real
 * reply with distributions, stored again and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "harvest/teacher.h"
#include "store/statement.h"
#include "store/store.h"
#include "tests/unit/tokens.h"

enum { BATCH = 64, PLAIN_BYTES = 1600, VARIETY = 16 };

struct bench {
    struct store *store;
    char *path;
    int64_t teacher, terms, form, run;
    struct todo todos[BATCH];
    struct arena arenas[BATCH];
    size_t n; /* todos taken */
    int64_t after;
    struct buf body;
    uint64_t seed;
};

static void must(int rc, const struct err *err)
{
    if (rc != 0) {
        err_print(err, stderr, false);
        exit(1);
    }
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void report(const char *name, double value, const char *unit)
{
    printf("%-28s %10.2f %s\n", name, value, unit);
    fflush(stdout);
}

/* Of the file alone: closing moves the WAL into it. */
static uint64_t stored_bytes(struct bench *b)
{
    struct err err = {0};
    struct store_counts counts;
    store_close(b->store);
    must(store_open(b->path, STORE_WRITE, &b->store, &err), &err);
    must(store_count(b->store, &counts, &err), &err);
    return counts.bytes;
}

/* ---- the store ---- */

static void open_store(struct bench *b)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    struct err err = {0};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *name = mem_format("%s%s", b->path, suffixes[i]);
        unlink(name);
        free(name);
    }
    const struct teacher_tag tag = {
        .identity = "m", .wire = "openai-chat", .model = "m", .name = "bench"};
    must(store_open(b->path, STORE_CREATE, &b->store, &err), &err);
    must(store_begin(b->store, &err), &err);
    must(store_teacher(b->store, &tag, &b->teacher, &b->terms, &err), &err);
    must(store_form(b->store, SPAN_LITERAL("{}"), (struct span){0}, &b->form, &err),
         &err);
    must(store_run_start(b->store, "bench", 0, &b->run, &err), &err);
    must(store_commit(b->store, &err), &err);
    b->after = 0;
}

static void close_store(struct bench *b)
{
    for (size_t i = 0; i < BATCH; i++)
        arena_clear(&b->arenas[i]);
    store_close(b->store);
    unlink(b->path);
}

static void plan(struct bench *b, size_t n, struct plan_counts *counts)
{
    struct err err = {0};
    struct sha256 *sha = sha256_new();
    must(store_begin(b->store, &err), &err);
    must(store_plan_start(b->store, false, &err), &err);
    for (size_t i = 0; i < n; i++) {
        char text[400];
        int length =
            snprintf(text, sizeof text,
                     "[{\"content\":\"Question number %zu: what is the weather like "
                     "in a town whose mayor has counted its %zu chimneys, and why "
                     "does nobody there ever look up?\",\"role\":\"user\"}]",
                     i, i * 7);
        struct prompt prompt = {.messages = {text, (size_t)length}};
        struct plan_item item = {.prompt = &prompt,
                                 .kind = KIND_CHAT,
                                 .teacher = b->teacher,
                                 .form = b->form,
                                 .run = b->run};
        sha256_add(sha, text, (size_t)length);
        sha256_end(sha, item.prompt_hash);
        sha256_add(sha, item.prompt_hash, sizeof item.prompt_hash);
        sha256_end(sha, item.key);
        must(store_plan(b->store, &item, counts, &err), &err);
    }
    must(store_commit(b->store, &err), &err);
    sha256_free(sha);
}

static void bench_plan(struct bench *b, size_t n)
{
    struct plan_counts counts = {0};
    open_store(b);
    double start = cpu_us();
    plan(b, n, &counts);
    report("plan-new", (cpu_us() - start) / (double)n, "us/prompt");
    start = cpu_us();
    plan(b, n, &counts);
    report("plan-known", (cpu_us() - start) / (double)n, "us/prompt");
    report("plan-bytes", (double)stored_bytes(b) / (double)n, "bytes/prompt");
    if (counts.added != n || counts.todo != 2 * n)
        exit(1);
    close_store(b);
}

/* ---- asking ---- */

static struct todo *next_todo(void *arg, struct arena **arena)
{
    struct bench *b = arg;
    arena_reset(&b->arenas[b->n]);
    *arena = &b->arenas[b->n];
    return &b->todos[b->n++];
}

static size_t take(struct bench *b)
{
    struct err err = {0};
    size_t taken;
    b->n = 0;
    must(store_take(b->store, b->after, BATCH, next_todo, b, &taken, &err), &err);
    if (taken > 0)
        b->after = b->todos[taken - 1].request;
    return taken;
}

/* A reply as a codec hands it on. */
struct made_reply {
    char *body;
    size_t n;
    struct answer answer;
    struct arena arena;
};

static uint64_t roll(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return b->seed >> 33;
}

static void add_prose(struct bench *b, struct buf *out, size_t bytes)
{
    static const char *const words[] = {
        "the",   "of",     "and",    "river",  "to",       "in",     "a",        "was",
        "house", "that",   "with",   "for",    "mountain", "it",     "as",       "is",
        "by",    "be",     "city",   "had",    "which",    "they",   "light",    "people",
        "not",   "summer", "have",   "market", "from",     "answer", "question", "would",
        "their", "who",    "letter", "when",   "were",     "garden", "there",    "been",
        "more",  "window", "if",     "no",     "bridge",   "out",    "so",       "said",
        "what",  "up",     "its",    "music",  "about",    "into",   "than",     "them",
        "can",   "only",   "other",  "new",    "some",     "could",  "time",     "these",
    };
    size_t start = out->n;
    while (out->n - start < bytes) {
        uint64_t r = roll(b);
        buf_text(out, words[(r % 64) * (r / 64 % 64) / 64]);
        buf_text(out, r / 4096 % 11 == 0 ? ".\\n" : " ");
    }
}

/* tokens NULL: prose without distributions. */
static void make_reply(struct bench *b, const struct tokens_spec *tokens,
                       struct made_reply *reply)
{
    struct buf *body = &b->body;
    *reply = (struct made_reply){.answer = {.finish = FINISH_STOP, .understood = true}};
    buf_reset(body);
    buf_reserve(body, 1 << 20);
    buf_format(
        body,
        "{\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion\",\"created\":1,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":",
        (unsigned long long)roll(b));
    size_t start = body->n;
    buf_byte(body, '"');
    add_prose(b, body, tokens == NULL ? PLAIN_BYTES : 120);
    buf_byte(body, '"');
    size_t end = body->n;
    buf_text(body, ",\"refusal\":null},\"logprobs\":");
    size_t list = 0, list_end = 0;
    if (tokens != NULL) {
        buf_text(body, "{\"content\":");
        list = body->n;
        tokens_make(tokens, body, &reply->arena, &reply->answer.tracks[TRACK_CONTENT]);
        list_end = body->n;
        buf_byte(body, '}');
    } else {
        buf_text(body, "null");
    }
    buf_text(body, ",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":35,"
                   "\"total_tokens\":395,\"completion_tokens\":360}}");
    reply->n = body->n;
    reply->body = buf_take(body); /* the bytes stay where the track's spans point */
    buf_init(body, 1 << 24);
    reply->answer.content = (struct span){reply->body + start, end - start};
    if (tokens != NULL)
        reply->answer.tracks[TRACK_CONTENT].array =
            (struct span){reply->body + list, list_end - list};
}

static void settle(struct bench *b, const struct made_reply *reply, size_t i,
                   int64_t attempt)
{
    struct err err = {0};
    struct answer answer = reply->answer;
    struct attempt a = {
        .attempt = attempt,
        .run = b->run,
        .request = b->todos[i].request,
        .teacher = b->teacher,
        .terms = b->terms,
        .sent_ms = 1000,
        .ended_ms = 2000,
        .outcome = OUTCOME_ANSWERED,
        .status = 200,
        .usage = {35, 360, -1, -1},
        .model = SPAN_LITERAL("m"),
        .request_id = {reply->body + 7, 25},
        .body = {reply->body, reply->n},
    };
    must(store_settled(b->store, &a, &answer, &b->todos[i].request, 1, &err), &err);
}

/* One transaction: the answers of the batch before, the intents of this one. */
static void write_batch(struct bench *b, const struct made_reply *replies, size_t n)
{
    struct err err = {0};
    int64_t attempts[BATCH];
    must(store_begin(b->store, &err), &err);
    for (size_t i = 0; i < n; i++)
        must(store_sent(b->store, b->run, b->todos[i].request, 1000, &attempts[i], &err),
             &err);
    must(store_commit(b->store, &err), &err);
    must(store_begin(b->store, &err), &err);
    for (size_t i = 0; i < n; i++)
        settle(b, &replies[(b->todos[i].request * 7) % VARIETY], i, attempts[i]);
    must(store_commit(b->store, &err), &err);
}

static double read_all(struct bench *b)
{
    struct err err = {0};
    struct cursor *cursor;
    struct arena arena = {0};
    const struct row *row;
    size_t n = 0;
    must(cursor_open(b->store, NULL, &cursor, &err), &err);
    double start = cpu_us();
    for (;; n++) {
        struct track tracks[TRACKS];
        must(cursor_next(cursor, &row, &err), &err);
        if (row == NULL)
            break;
        arena_reset(&arena);
        must(cursor_tracks(cursor, &arena, tracks, &err), &err);
    }
    double us = (cpu_us() - start) / (double)n;
    cursor_close(cursor);
    arena_clear(&arena);
    return us;
}

/* What the replies of one bench are made of. */
struct kind_of_reply {
    const char *name;
    const struct tokens_spec *tokens; /* NULL: prose, or the body */
    struct span body;                 /* a real one; absent: made up */
};

static void decode_reply(struct span body, struct made_reply *reply)
{
    const struct codec *codec = codec_find("openai-chat");
    const struct ask ask = {.model = span_of("m"),
                            .messages = span_of("[]"),
                            .params = span_of("{\"logprobs\":true,\"top_logprobs\":20}")};
    *reply = (struct made_reply){.body = mem_copy(body.p, body.n), .n = body.n};
    const struct reply got = {
        .status = 200, .headers = span_of(""), .body = {reply->body, reply->n}};
    struct decoded decoded;
    codec->decode(&got, &ask, &reply->arena, &decoded);
    if (decoded.outcome != OUTCOME_ANSWERED) {
        fputs("bench_store: the body is no answer\n", stderr);
        exit(1);
    }
    reply->answer = decoded.answers[0];
}

static void make_replies(struct bench *b, const struct kind_of_reply *kind,
                         struct made_reply *replies)
{
    for (size_t i = 0; i < VARIETY; i++) {
        struct tokens_spec own = {0};
        if (kind->tokens != NULL)
            own = *kind->tokens;
        own.seed = roll(b);
        if (kind->body.p != NULL)
            decode_reply(kind->body, &replies[i]);
        else
            make_reply(b, kind->tokens == NULL ? NULL : &own, &replies[i]);
    }
}

static void free_replies(struct made_reply *replies)
{
    for (size_t i = 0; i < VARIETY; i++) {
        arena_clear(&replies[i].arena);
        free(replies[i].body);
    }
}

/* Replies are made outside the time that is measured. */
static double settle_all(struct bench *b, const struct kind_of_reply *kind)
{
    struct made_reply replies[VARIETY];
    double us = 0;
    size_t taken;
    while ((taken = take(b)) != 0) {
        make_replies(b, kind, replies);
        double start = cpu_us();
        write_batch(b, replies, taken);
        us += cpu_us() - start;
        free_replies(replies);
    }
    return us;
}

static double bytes_per_token(struct bench *b)
{
    struct err err = {0};
    struct query q = query_start(b->store, "SELECT sum(length(data)) * 1000 /"
                                           " sum(positions) FROM track");
    int64_t bytes;
    must(query_value(&q, 0, &bytes, &err), &err);
    return (double)bytes / 1000;
}

static void bench_answers(struct bench *b, const struct kind_of_reply *kind, size_t n)
{
    struct plan_counts counts = {0};
    char label[64];
    open_store(b);
    plan(b, n, &counts);
    uint64_t before = stored_bytes(b);
    plan(b, n, &counts); /* a plan ends with its connection */
    double us = settle_all(b, kind);
    snprintf(label, sizeof label, "%s-settle", kind->name);
    report(label, us / (double)n, "us/answer");
    snprintf(label, sizeof label, "%s-read", kind->name);
    report(label, read_all(b), "us/answer");
    snprintf(label, sizeof label, "%s-bytes", kind->name);
    report(label, (double)(stored_bytes(b) - before) / (double)n, "bytes/answer");
    snprintf(label, sizeof label, "%s-track", kind->name);
    if (kind->tokens != NULL || kind->body.p != NULL)
        report(label, bytes_per_token(b), "bytes/token");
    close_store(b);
}

static void bench_kinds(struct bench *b, size_t n, struct span body)
{
    const struct tokens_spec bf16 = {.positions = 30,
                                     .alternatives = 20,
                                     .numbers = TOKENS_BF16,
                                     .shape = SHAPE_BYTES | SHAPE_TOP};
    struct tokens_spec f32 = bf16, digits = bf16;
    f32.numbers = TOKENS_F32;
    digits.numbers = TOKENS_BF16_SHORT;
    const struct kind_of_reply kinds[] = {
        {"plain", NULL, {NULL, 0}},
        {"bfloat16-top20", &bf16, {NULL, 0}},
        {"short-digits-top20", &digits, {NULL, 0}},
        {"float32-top20", &f32, {NULL, 0}},
        {"reply", NULL, body},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (i + 1 < sizeof kinds / sizeof kinds[0] || body.p != NULL)
            bench_answers(b, &kinds[i], i == 0 ? n / 5 : n / 20);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store DIRECTORY [PROMPTS [BODY-FILE]]\n");
        return 2;
    }
    size_t n = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 100000;
    struct err err = {0};
    struct buf body;
    buf_init(&body, 1 << 24);
    if (argc > 3)
        must(file_read(argv[3], 1 << 24, &body, &err), &err);
    struct bench *b = mem_new(sizeof *b);
    b->path = mem_format("%s/bench_store.db", argv[1]);
    b->seed = 1;
    buf_init(&b->body, 1 << 24);
    bench_plan(b, n);
    bench_kinds(b, n, body.n == 0 ? (struct span){NULL, 0} : buf_view(&body));
    buf_clear(&b->body);
    buf_clear(&body);
    free(b->path);
    free(b);
    return 0;
}
