/* SPDX-License-Identifier: MIT */
#include "base/record.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *pick(const char *const *names, size_t n, size_t i)
{
    return i < n && names[i] != NULL ? names[i] : "?";
}

const char *kind_name(enum kind kind)
{
    static const char *const names[] = {
        [KIND_CHAT] = "chat",   [KIND_COMPLETION] = "completion", [KIND_SCORE] = "score",
        [KIND_LABEL] = "label", [KIND_EMBED] = "embed",
    };
    return pick(names, COUNT(names), kind);
}

const char *finish_name(enum finish finish)
{
    static const char *const names[] = {
        [FINISH_NONE] = "none",
        [FINISH_STOP] = "stop",
        [FINISH_LENGTH] = "length",
        [FINISH_TOOL_CALLS] = "tool_calls",
        [FINISH_CONTENT_FILTER] = "content_filter",
        [FINISH_OTHER] = "other",
    };
    return pick(names, COUNT(names), finish);
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_NONE] = "none",     [OUTCOME_ANSWERED] = "answered",
        [OUTCOME_UNSENT] = "unsent", [OUTCOME_LATER] = "later",
        [OUTCOME_RETRY] = "retry",   [OUTCOME_AMBIGUOUS] = "ambiguous",
        [OUTCOME_FAILED] = "failed", [OUTCOME_HOLD] = "hold",
    };
    return pick(names, COUNT(names), outcome);
}

const char *reason_name(enum reason reason)
{
    static const char *const names[] = {
        [REASON_NONE] = "none",           [REASON_CREDENTIAL] = "credential",
        [REASON_CREDIT] = "credit",       [REASON_MODEL] = "model",
        [REASON_REQUEST] = "request",     [REASON_TOO_LONG] = "too_long",
        [REASON_FILTERED] = "filtered",   [REASON_RATE] = "rate",
        [REASON_OVERLOAD] = "overload",   [REASON_SERVER] = "server",
        [REASON_SHAPE] = "shape",         [REASON_NOT_JSON] = "not_json",
        [REASON_REDIRECT] = "redirect",   [REASON_CONNECT] = "connect",
        [REASON_TIMEOUT] = "timeout",     [REASON_CUT] = "cut",
        [REASON_TOO_LARGE] = "too_large", [REASON_KILLED] = "killed",
        [REASON_CANCELLED] = "cancelled", [REASON_CONFIG] = "config",
    };
    return pick(names, COUNT(names), reason);
}

const char *track_title(enum track_name track)
{
    static const char *const names[TRACKS] = {
        [TRACK_CONTENT] = "content",
        [TRACK_REASONING] = "reasoning",
        [TRACK_REFUSAL] = "refusal",
        [TRACK_PROMPT] = "prompt",
    };
    return pick(names, COUNT(names), track);
}

void flags_add(struct buf *out, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } rows[] = {
        {FLAG_REFUSAL, "refusal"},
        {FLAG_EMPTY, "empty"},
        {FLAG_NO_FINISH, "no_finish"},
        {FLAG_MODEL_MISMATCH, "model_mismatch"},
        {FLAG_NO_LOGPROBS, "no_logprobs"},
        {FLAG_SHORT_LOGPROBS, "short_logprobs"},
        {FLAG_BODY_WHOLE, "body_whole"},
        {FLAG_ODD_LOGPROBS, "odd_logprobs"},
        {FLAG_REPAIRED, "repaired"},
        {FLAG_ANSWER_IN_REASONING, "answer_in_reasoning"},
    };
    const char *comma = "";
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((flags & rows[i].flag) == 0)
            continue;
        buf_text(out, comma);
        buf_text(out, rows[i].name);
        comma = ",";
    }
}
