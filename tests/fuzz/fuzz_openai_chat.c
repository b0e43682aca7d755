/* SPDX-License-Identifier: MIT */
/* fuzz_openai_chat: any bytes as a reply. Nothing may become an answer that breaks the rules
 * for one, and what is handed out must lie in the reply and be what it says.
 *
 * An input reads: status in three digits, one byte ('c': the transfer was cut off), header
 * lines, an empty line, the body. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/scan.h"
#include "base/utf8.h"
#include "harvest/teacher.h"
#include "harvest/teacher/complaint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct span part, struct span whole)
{
    uintptr_t p = (uintptr_t)part.p, from = (uintptr_t)whole.p;
    return part.p == NULL || (p >= from && p + part.n <= from + whole.n);
}

/* A raw value is JSON by itself. */
static void check_raw(struct span raw, struct span body)
{
    struct scan scan;
    assert(is_inside(raw, body));
    scan_init(&scan, raw);
    assert(raw.p == NULL || (scan_value(&scan, NULL) && scan_done(&scan)));
}

static void check_track(const struct track *track, struct span body)
{
    if (track->positions == 0)
        return;
    check_raw(track->array, body);
    assert(track->first[0] == 0);
    for (uint32_t i = 0; i < track->positions; i++)
        assert(track->first[i + 1] > track->first[i]);
    for (uint32_t i = 0; i < track->first[track->positions]; i++) {
        const struct logprob *entry = &track->entries[i];
        double value = entry->value;
        assert(is_inside(entry->token, track->array) && entry->id >= -1);
        check_raw(entry->bytes, track->array);
        if ((track->style & NUMBER_F32) != 0 && isfinite(value))
            assert((double)(float)value == value);
    }
}

static void check_answer(const struct answer *answer, struct span body)
{
    const struct span raws[] = {answer->content, answer->reasoning, answer->refusal,
                                answer->tool_calls};
    for (size_t i = 0; i < sizeof raws / sizeof raws[0]; i++)
        check_raw(raws[i], body);
    assert(answer->index >= 0 && answer->index < CHOICES_MAX);
    for (int i = 0; i < TRACKS; i++)
        check_track(&answer->tracks[i], body);
}

static void check_answered(const struct decoded *decoded, const struct reply *reply)
{
    struct scan scan;
    struct span body = reply->body;
    if (body.n >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0)
        body = (struct span){body.p + 3, body.n - 3};
    scan_init(&scan, body);
    assert(scan_value(&scan, NULL) && scan_done(&scan));
    assert(reply->status >= 200 && reply->status < 300 && decoded->n_answers > 0);
    assert(decoded->reason == REASON_NONE && decoded->note.p == NULL);
    for (size_t i = 0; i < decoded->n_answers; i++) {
        check_answer(&decoded->answers[i], body);
        assert(i == 0 || decoded->answers[i].index > decoded->answers[i - 1].index);
    }
}

static void check(const struct decoded *decoded, const struct reply *reply)
{
    enum outcome outcome = decoded->outcome;
    if (outcome == OUTCOME_ANSWERED) {
        check_answered(decoded, reply);
    } else {
        assert(outcome == OUTCOME_LATER || outcome == OUTCOME_RETRY ||
               outcome == OUTCOME_FAILED || outcome == OUTCOME_HOLD ||
               (outcome == OUTCOME_AMBIGUOUS && reply->cut));
        assert(decoded->reason != REASON_NONE && decoded->n_answers == 0);
    }
    if (outcome != OUTCOME_LATER && outcome != OUTCOME_RETRY)
        assert(decoded->retry_after_ms == -1);
    assert(decoded->retry_after_ms >= -1 && decoded->note.n <= NOTE_MAX);
    assert(utf8_valid_prefix(decoded->note) == decoded->note.n);
    assert(decoded->note.n == 0 ||
           memchr(decoded->note.p, '\n', decoded->note.n) == NULL);
    assert(decoded->usage.prompt >= -1 && decoded->usage.completion >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct reply reply = {0};
    if (size < 5)
        return 0;
    for (int i = 0; i < 3; i++)
        reply.status = reply.status * 10 + (data[i] - '0') % 10;
    reply.cut = data[3] == 'c';
    const char *blank = memmem(text.p + 4, text.n - 4, "\n\n", 2);
    size_t headers = blank == NULL ? 0 : (size_t)(blank - (text.p + 4)) + 1;
    reply.headers = (struct span){text.p + 4, headers};
    size_t body = blank == NULL ? 4 : 4 + headers + 1;
    reply.body = (struct span){text.p + body, text.n - body};
    struct ask ask = {.model = SPAN_LITERAL("smol"),
                      .messages = SPAN_LITERAL("[]"),
                      .params = SPAN_LITERAL("{\"logprobs\":true,\"top_logprobs\":20}")};
    struct decoded decoded;
    struct arena arena = {0};
    codec_find("openai-chat")->decode(&reply, &ask, &arena, &decoded);
    check(&decoded, &reply);
    arena_clear(&arena);
    return 0;
}
