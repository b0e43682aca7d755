/* SPDX-License-Identifier: MIT */
/* openai-chat: OpenAI's chat completions, as hosted services and llama.cpp, vLLM, SGLang,
 * Ollama, LM Studio and others speak them.
 *
 * An answer is a 2xx that came whole, is strict JSON, names no error anywhere, and has at
 * least one choice; each choice has ended for a reason, or at least has text that was
 * counted. Anything else goes to failure.c or is a reply of the wrong shape. */
#include <string.h>

#include "base/json.h"
#include "base/scan.h"
#include "harvest/teacher.h"
#include "harvest/teacher/chat_reply.h"
#include "harvest/teacher/complaint.h"
#include "harvest/teacher/failure.h"
#include "harvest/teacher/headers.h"

#define IS(key, name) span_equal((key), SPAN_LITERAL("\"" name "\""))

/* ---- encode ---- */

/* What params say that matters here. */
struct wish {
    bool logprobs;        /* distributions are asked for */
    bool ids;             /* vLLM's members for ids are there already */
    struct span reserved; /* a member that is not theirs to set; absent: none */
};

static struct wish read_wish(struct span params)
{
    struct wish wish = {0};
    struct scan scan;
    struct span key;
    scan_init(&scan, params);
    if (params.n == 0 || !scan_object(&scan))
        return wish;
    while (scan_key(&scan, &key)) {
        enum scan_type type = scan_next(&scan);
        if (IS(key, "logprobs"))
            wish.logprobs = type == SCAN_TRUE || type == SCAN_NUMBER;
        else if (IS(key, "return_token_ids") || IS(key, "return_tokens_as_token_ids"))
            wish.ids = true;
        else if (IS(key, "model") || IS(key, "messages") || IS(key, "stream") ||
                 IS(key, "n"))
            wish.reserved = key;
        scan_value(&scan, NULL);
    }
    return wish;
}

/* Members in a fixed order, so that equal requests are equal bytes. */
static int encode(const struct ask *ask, struct buf *body, struct err *err)
{
    struct span params = ask->params, messages = ask->messages;
    struct wish wish = read_wish(params);
    if (wish.reserved.p != NULL)
        return err_set(err, ERR_USAGE, "params must not set '%.*s'",
                       (int)wish.reserved.n - 2, wish.reserved.p + 1);
    buf_text(body, "{\"model\":");
    json_add_string(body, ask->model);
    buf_text(body, ",\"messages\":[");
    if (ask->system.p != NULL) {
        buf_text(body, "{\"content\":");
        json_add_string(body, ask->system);
        buf_text(body, ",\"role\":\"system\"}");
        if (messages.n > 2)
            buf_byte(body, ',');
    }
    buf_add(body, messages.p + 1,
            messages.n - 1); /* canonical: begins with its bracket */
    if (params.n > 2) {
        buf_byte(body, ',');
        buf_add(body, params.p + 1, params.n - 2);
    }
    if ((ask->dialect & DIALECT_TOKEN_IDS) != 0 && wish.logprobs && !wish.ids)
        buf_text(body, ",\"return_token_ids\":true,\"return_tokens_as_token_ids\":true");
    buf_byte(body, '}');
    return 0;
}

/* ---- what is odd ---- */

static bool is_blank(struct span raw)
{
    return raw.p == NULL || span_is(raw, "\"\"");
}

/* Whether the last entry is the token that ended the choice: its text is no part of the
 * answer. Text and token are spelt by one server, hence comparable as literals. */
static bool lists_end(const struct answer *answer)
{
    const struct track *track = &answer->tracks[TRACK_CONTENT];
    if (track->positions == 0 || is_blank(answer->content))
        return track->positions > 0;
    struct span token = track->entries[track->first[track->positions - 1]].token;
    struct span text = {answer->content.p + 1, answer->content.n - 2};
    return token.n == 0 || token.n > text.n ||
           memcmp(text.p + text.n - token.n, token.p, token.n) != 0;
}

/* Whether distributions are missing: fewer entries than completion tokens, over all choices
 * because usage counts all of them. What may be missing: the token that ended a choice when
 * no limit did (llama.cpp and vLLM list it, others count it only), and the reasoning where
 * it is counted and a server gives no distributions for it. A stop word of several tokens
 * that a server cuts off its list makes it short, too: what stands there is unknown. */
static bool is_short(const struct decoded *out)
{
    int64_t entries = 0, ends = 0, reasoned = 0, tokens = out->usage.completion;
    for (size_t i = 0; i < out->n_answers; i++) {
        const struct answer *answer = &out->answers[i];
        const struct track *tracks = answer->tracks;
        reasoned += tracks[TRACK_REASONING].positions;
        entries += tracks[TRACK_CONTENT].positions + tracks[TRACK_REFUSAL].positions +
                   tracks[TRACK_REASONING].positions;
        ends += answer->finish != FINISH_LENGTH && !lists_end(answer);
    }
    if (reasoned == 0 && out->usage.reasoning > 0 &&
        entries <= tokens - out->usage.reasoning)
        tokens -= out->usage.reasoning;
    return entries > 0 && entries + ends < tokens;
}

/* "-2025-04-14", "-20250414", "-0613", "@20250514" */
static bool is_date(struct span suffix)
{
    size_t digits = 0;
    for (size_t i = 1; i < suffix.n; i++) {
        bool digit = suffix.p[i] >= '0' && suffix.p[i] <= '9';
        if (!digit && suffix.p[i] != '-')
            return false;
        digits += digit;
    }
    return digits >= 4 && (suffix.p[0] == '-' || suffix.p[0] == '@');
}

/* Aliases are answered by the dated snapshot that they stand for. */
static bool is_other_model(struct span asked, struct span served)
{
    static const char latest[] = "-latest";
    const size_t n = sizeof latest - 1;
    if (asked.n == 0 || served.n == 0 || span_equal(asked, served))
        return false;
    if (asked.n > n && memcmp(asked.p + asked.n - n, latest, n) == 0)
        asked.n -= n;
    return served.n <= asked.n || memcmp(served.p, asked.p, asked.n) != 0 ||
           !is_date((struct span){served.p + asked.n, served.n - asked.n});
}

static void flag_answer(struct answer *answer, bool asked_logprobs)
{
    bool has_text = !is_blank(answer->content), has_calls = answer->tool_calls.p != NULL;
    bool has_reasoning = !is_blank(answer->reasoning);
    unsigned flags = answer->flags;
    flags |= is_blank(answer->refusal) ? 0 : FLAG_REFUSAL;
    flags |= has_text || has_calls ? 0 : FLAG_EMPTY;
    flags |= answer->finish == FINISH_NONE ? FLAG_NO_FINISH : 0;
    flags |= !has_text && has_reasoning ? FLAG_ANSWER_IN_REASONING : 0;
    uint32_t positions = 0;
    for (int i = 0; i < TRACKS; i++)
        positions += answer->tracks[i].positions;
    if (asked_logprobs && positions == 0 && (has_text || has_calls || has_reasoning))
        flags |= FLAG_NO_LOGPROBS;
    answer->flags = flags;
}

static void flag_answers(const struct chat_reply *about, const struct ask *ask,
                         struct decoded *out)
{
    bool asked_logprobs = read_wish(ask->params).logprobs;
    unsigned all = (is_short(out) ? FLAG_SHORT_LOGPROBS : 0) |
                   (is_other_model(ask->model, out->model) ? FLAG_MODEL_MISMATCH : 0) |
                   (about->lone_surrogate ? FLAG_REPAIRED : 0);
    for (size_t i = 0; i < out->n_answers; i++) {
        struct answer *answer = &out->answers[i];
        flag_answer(answer, asked_logprobs);
        answer->flags |= all;
    }
}

/* ---- the verdict ---- */

static const struct decoded undecided = {
    .retry_after_ms = -1,
    .usage = {-1, -1, -1, -1},
};

static void give_up(struct decoded *out, enum outcome outcome, enum reason reason,
                    struct span note)
{
    out->outcome = outcome;
    out->reason = reason;
    out->note = note;
}

/* A body that is no JSON: pages and words speak for themselves, JSON that breaks off says
 * where. */
static struct span describe(const struct chat_reply *about, struct span body,
                            struct arena *arena)
{
    struct span rest = body;
    while (rest.n > 0 && (unsigned char)rest.p[0] <= ' ')
        rest = (struct span){rest.p + 1, rest.n - 1};
    if (rest.n == 0)
        return SPAN_LITERAL("the body is empty");
    if (rest.n > 6 &&
        (memcmp(rest.p, "data:", 5) == 0 || memcmp(rest.p, "event:", 6) == 0))
        return SPAN_LITERAL("the reply is an event stream, which was not asked for");
    if (rest.p[0] != '{' && rest.p[0] != '[')
        return note_line(rest, arena);
    struct buf text;
    buf_init(&text, NOTE_MAX);
    buf_format(&text, "no JSON: %s at byte %zu of %zu", about->broken, about->broken_at,
               body.n);
    struct span note = arena_span(arena, buf_view(&text));
    buf_clear(&text);
    return note;
}

static bool is_empty(const struct answer *answer)
{
    return is_blank(answer->content) && is_blank(answer->reasoning) &&
           is_blank(answer->refusal) && answer->tool_calls.p == NULL;
}

/* A reply of the right shape that is no answer nevertheless; returns whether it was one. */
static bool refuse(const struct chat_reply *about, struct decoded *out)
{
    bool nothing = true, unfinished = false;
    for (size_t i = 0; i < out->n_answers; i++) {
        const struct answer *answer = &out->answers[i];
        nothing &= is_empty(answer);
        unfinished |= answer->finish == FINISH_NONE &&
                      (is_empty(answer) || out->usage.completion < 0);
    }
    if (about->n_interrupted == out->n_answers)
        give_up(out, OUTCOME_RETRY, REASON_SERVER,
                SPAN_LITERAL("the server broke off the answer"));
    else if (nothing && out->usage.prompt == 0 && out->usage.completion == 0)
        give_up(out, OUTCOME_RETRY, REASON_SERVER,
                SPAN_LITERAL("an empty answer for which no tokens were counted"));
    else if (unfinished)
        give_up(out, OUTCOME_FAILED, REASON_SHAPE,
                SPAN_LITERAL("a choice has no finish reason"));
    return out->outcome != OUTCOME_NONE;
}

/* A status of success: an answer, an error in disguise, or a reply of the wrong shape (which
 * may have been paid for, hence is not asked again by itself). */
static void decode_success(const struct reply *reply, const struct ask *ask,
                           struct span body, struct arena *arena, struct decoded *out)
{
    struct chat_reply about;
    struct complaint complaint = {0};
    chat_reply_read(body, arena, out, &about);
    if (out->request_id.p == NULL)
        out->request_id = about.id;
    if (about.wrong != NULL)
        complaint_read(body, arena, &complaint);
    if (about.broken != NULL)
        give_up(out, OUTCOME_RETRY, REASON_NOT_JSON, describe(&about, body, arena));
    else if (about.is_error || complaint.found)
        failure_decode(reply, body, arena, out);
    else if (about.wrong != NULL)
        give_up(out, OUTCOME_FAILED, REASON_SHAPE, span_of(about.wrong));
    else if (!refuse(&about, out))
        out->outcome = OUTCOME_ANSWERED;
    if (out->outcome == OUTCOME_ANSWERED)
        flag_answers(&about, ask, out);
    else if (reply->cut && !about.is_error && !complaint.found)
        give_up(out, OUTCOME_AMBIGUOUS, REASON_CUT, out->note);
}

static void decode(const struct reply *reply, const struct ask *ask, struct arena *arena,
                   struct decoded *decoded)
{
    *decoded = undecided;
    struct span body = reply->body;
    if (body.n >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0)
        body = (struct span){body.p + 3, body.n - 3};
    if (reply->status >= 200 && reply->status < 300)
        decode_success(reply, ask, body, arena, decoded);
    else
        failure_decode(reply, body, arena, decoded);
    if (decoded->outcome != OUTCOME_ANSWERED)
        decoded->n_answers = 0;
    static const char *const names[] = {"x-request-id", "request-id"};
    for (int i = 1; i >= 0; i--) {
        struct span id = headers_find(reply->headers, names[i]);
        decoded->request_id = id.n > 0 ? id : decoded->request_id;
    }
}

const struct codec openai_chat = {
    .name = "openai-chat",
    .about = "OpenAI chat completions: hosted services, llama.cpp, vLLM, SGLang, Ollama",
    .path = "/v1/chat/completions",
    .encode = encode,
    .decode = decode,
};
