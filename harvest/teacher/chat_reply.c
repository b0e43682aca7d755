/* SPDX-License-Identifier: MIT */
#include "harvest/teacher/chat_reply.h"

#include <string.h>

#include "base/json.h"
#include "base/scan.h"
#include "harvest/teacher/logprobs.h"

#define IS(key, name) span_equal((key), SPAN_LITERAL("\"" name "\""))

/* ---- values ---- */

struct parse {
    struct scan scan;
    struct arena *arena;
    struct decoded *out;
    struct chat_reply *about;
    size_t room;      /* of out->answers */
    bool interrupted; /* the choice read last was */
};

static void skip(struct parse *parse)
{
    scan_value(&parse->scan, NULL);
}

static void skip_wrong(struct parse *parse, const char *why)
{
    if (parse->about->wrong == NULL)
        parse->about->wrong = why;
    skip(parse);
}

/* Enters the object that comes next, or skips what else does. */
static bool enter(struct parse *parse)
{
    if (scan_next(&parse->scan) == SCAN_OBJECT)
        return scan_object(&parse->scan);
    skip(parse);
    return false;
}

/* Keeps a value unless it is null or an empty list: of a member that comes twice, the last
 * one with a value counts. */
static void keep(struct parse *parse, struct span *raw)
{
    struct span value = {0};
    enum scan_type type = scan_next(&parse->scan);
    if (scan_value(&parse->scan, &value) && type != SCAN_NULL && !span_is(value, "[]"))
        *raw = value;
}

/* The same for what is wanted as plain text; anything but a string is skipped. */
static void keep_text(struct parse *parse, struct span *text)
{
    struct span literal;
    if (scan_next(&parse->scan) != SCAN_STRING) {
        skip(parse);
        return;
    }
    if (!scan_string(&parse->scan, &literal))
        return;
    struct buf plain;
    buf_init(&plain, SIZE_MAX / 2);
    json_unquote(&plain, literal);
    *text = arena_span(parse->arena, buf_view(&plain));
    buf_clear(&plain);
}

/* Counts come as 12, 12.0 and "12". */
static void keep_count(struct parse *parse, int64_t *count)
{
    struct span raw = {0};
    struct number number;
    if (!scan_value(&parse->scan, &raw) || raw.n == 0)
        return;
    if (raw.p[0] == '"')
        raw = (struct span){raw.p + 1, raw.n - 2};
    if (number_read(raw, &number) == raw.p + raw.n && number.value >= 0 &&
        number.value <= (double)(1ll << 53) &&
        number.value == (double)(int64_t)number.value)
        *count = (int64_t)number.value;
}

/* Whether a member called `error` means one: null, false and "" do not. */
static void read_error(struct parse *parse)
{
    struct span raw = {0};
    enum scan_type type = scan_next(&parse->scan);
    if (scan_value(&parse->scan, &raw))
        parse->about->is_error |=
            type != SCAN_NULL && type != SCAN_FALSE && !span_is(raw, "\"\"");
}

/* ---- a choice ---- */

static enum finish finish_of(struct span word)
{
    static const struct {
        const char *word;
        enum finish finish;
    } rows[] = {
        {"stop", FINISH_STOP},
        {"eos", FINISH_STOP},
        {"eos_token", FINISH_STOP},
        {"stop_sequence", FINISH_STOP},
        {"end_turn", FINISH_STOP},
        {"length", FINISH_LENGTH},
        {"max_tokens", FINISH_LENGTH},
        {"model_length", FINISH_LENGTH},
        {"tool_calls", FINISH_TOOL_CALLS},
        {"function_call", FINISH_TOOL_CALLS},
        {"content_filter", FINISH_CONTENT_FILTER},
        {"", FINISH_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (span_is(word, rows[i].word))
            return rows[i].finish;
    return FINISH_OTHER;
}

static void read_finish(struct parse *parse, struct answer *answer)
{
    struct span word = {0};
    keep_text(parse, &word);
    if (word.p == NULL)
        return;
    answer->finish = finish_of(word);
    /* The words of Mistral, vLLM and DeepSeek for having broken off. */
    parse->interrupted = span_is(word, "error") || span_is(word, "abort") ||
                         span_is(word, "insufficient_system_resource");
}

static void read_message(struct parse *parse, struct answer *answer)
{
    struct span key, other = {0};
    if (!enter(parse))
        return;
    while (scan_key(&parse->scan, &key)) {
        if (IS(key, "content"))
            keep(parse, &answer->content);
        else if (IS(key, "reasoning_content"))
            keep(parse, &answer->reasoning);
        else if (IS(key, "reasoning"))
            keep(parse, &other);
        else if (IS(key, "refusal"))
            keep(parse, &answer->refusal);
        else if (IS(key, "tool_calls"))
            keep(parse, &answer->tool_calls);
        else
            skip(parse);
    }
    if (answer->reasoning.p == NULL)
        answer->reasoning = other;
}

static void read_track(struct parse *parse, struct answer *answer, enum track_name name)
{
    struct track *track = &answer->tracks[name];
    if (scan_next(&parse->scan) == SCAN_NULL) {
        skip(parse);
        return;
    }
    if (track->array.p != NULL) /* a second one: only one can come back from its track */
        answer->understood = false;
    logprobs_read(&parse->scan, parse->arena, track, &answer->flags, &answer->understood);
}

static void read_logprobs(struct parse *parse, struct answer *answer)
{
    struct span key;
    if (!enter(parse))
        return;
    while (scan_key(&parse->scan, &key)) {
        if (IS(key, "content"))
            read_track(parse, answer, TRACK_CONTENT);
        else if (IS(key, "refusal"))
            read_track(parse, answer, TRACK_REFUSAL);
        else if (IS(key, "reasoning_content") || IS(key, "reasoning"))
            read_track(parse, answer, TRACK_REASONING);
        else
            skip(parse); /* legacy lists and what servers add; they stay in the body */
    }
}

static void read_choice(struct parse *parse, struct answer *answer)
{
    struct span key;
    int64_t index = answer->index;
    bool has_message = false;
    scan_object(&parse->scan);
    while (scan_key(&parse->scan, &key)) {
        if (IS(key, "index")) {
            keep_count(parse, &index);
        } else if (IS(key, "message")) {
            has_message |= scan_next(&parse->scan) == SCAN_OBJECT;
            read_message(parse, answer);
        } else if (IS(key, "logprobs")) {
            read_logprobs(parse, answer);
        } else if (IS(key, "finish_reason")) {
            read_finish(parse, answer);
        } else if (IS(key, "error")) {
            read_error(parse);
        } else {
            skip(parse);
        }
    }
    if (parse->about->wrong == NULL && !has_message)
        parse->about->wrong = "a choice has no message";
    if (parse->about->wrong == NULL && index >= CHOICES_MAX)
        parse->about->wrong = "a choice has an impossible index";
    answer->index = (int)index;
}

/* ---- decode: a reply ---- */

/* Puts a choice in its place by index; of two with one index the first stays. */
static void add_answer(struct parse *parse, const struct answer *answer)
{
    struct decoded *out = parse->out;
    size_t at = out->n_answers;
    while (at > 0 && out->answers[at - 1].index >= answer->index)
        at--;
    if (at < out->n_answers && out->answers[at].index == answer->index)
        return;
    if (out->n_answers == parse->room) {
        size_t room = parse->room == 0 ? 1 : parse->room * 2;
        struct answer *answers = arena_alloc(parse->arena, room * sizeof *answers);
        if (out->n_answers > 0)
            memcpy(answers, out->answers, out->n_answers * sizeof *answers);
        out->answers = answers;
        parse->room = room;
    }
    memmove(out->answers + at + 1, out->answers + at,
            (out->n_answers - at) * sizeof *answer);
    out->answers[at] = *answer;
    out->n_answers++;
    parse->about->n_interrupted += parse->interrupted;
}

static void read_choices(struct parse *parse)
{
    if (scan_next(&parse->scan) != SCAN_ARRAY) {
        skip_wrong(parse, "'choices' is no list");
        return;
    }
    scan_array(&parse->scan);
    for (int position = 0; scan_item(&parse->scan); position++) {
        struct answer answer = {.index = position, .understood = true};
        if (scan_next(&parse->scan) != SCAN_OBJECT) {
            skip_wrong(parse, "a choice is no object");
            continue;
        }
        parse->interrupted = false;
        read_choice(parse, &answer);
        if (parse->about->wrong == NULL)
            add_answer(parse, &answer);
    }
}

static void read_usage(struct parse *parse)
{
    struct usage *usage = &parse->out->usage;
    struct span key, inner;
    if (!enter(parse))
        return;
    while (scan_key(&parse->scan, &key)) {
        if (IS(key, "prompt_tokens")) {
            keep_count(parse, &usage->prompt);
        } else if (IS(key, "completion_tokens")) {
            keep_count(parse, &usage->completion);
        } else if (IS(key, "prompt_cache_hit_tokens")) {
            keep_count(parse, &usage->cached);
        } else if (IS(key, "reasoning_tokens")) {
            keep_count(parse, &usage->reasoning);
        } else if (IS(key, "prompt_tokens_details") ||
                   IS(key, "completion_tokens_details")) {
            if (!enter(parse))
                continue;
            while (scan_key(&parse->scan, &inner))
                if (IS(inner, "cached_tokens"))
                    keep_count(parse, &usage->cached);
                else if (IS(inner, "reasoning_tokens"))
                    keep_count(parse, &usage->reasoning);
                else
                    skip(parse);
        } else {
            skip(parse);
        }
    }
}

static void read_reply(struct parse *parse)
{
    struct span key;
    if (scan_next(&parse->scan) != SCAN_OBJECT) {
        skip_wrong(parse, "the reply is no object");
        return;
    }
    scan_object(&parse->scan);
    while (scan_key(&parse->scan, &key)) {
        if (IS(key, "choices"))
            read_choices(parse);
        else if (IS(key, "usage"))
            read_usage(parse);
        else if (IS(key, "model"))
            keep_text(parse, &parse->out->model);
        else if (IS(key, "system_fingerprint"))
            keep_text(parse, &parse->out->fingerprint);
        else if (IS(key, "id"))
            keep_text(parse, &parse->about->id);
        else if (IS(key, "error"))
            read_error(parse);
        else
            skip(parse);
    }
    if (parse->about->wrong == NULL && parse->out->n_answers == 0)
        parse->about->wrong = "the reply has no choices";
}

void chat_reply_read(struct span body, struct arena *arena, struct decoded *out,
                     struct chat_reply *about)
{
    struct parse parse = {.arena = arena, .out = out, .about = about};
    *about = (struct chat_reply){0};
    scan_init(&parse.scan, body);
    read_reply(&parse);
    about->lone_surrogate = parse.scan.lone_surrogate;
    if (scan_done(&parse.scan))
        return;
    *about =
        (struct chat_reply){.broken = parse.scan.error, .broken_at = parse.scan.error_at};
    *out = (struct decoded){.usage = {-1, -1, -1, -1}, .retry_after_ms = -1};
}
