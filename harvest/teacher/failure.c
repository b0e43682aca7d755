/* SPDX-License-Identifier: MIT */
#include "harvest/teacher/failure.h"

#include <string.h>
#include <strings.h>

#include "harvest/teacher/complaint.h"
#include "harvest/teacher/headers.h"

enum { WORDS_MAX = 1 << 16 }; /* of a body that are searched for a delay */

struct verdict {
    enum outcome outcome;
    enum reason reason;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Names that servers and their gateways give to a kind of trouble, as code, type or detail.
 * A leading '*' stands for any beginning. */
static const struct {
    const char *name;
    struct verdict verdict;
} names[] = {
    {"insufficient_quota", {OUTCOME_HOLD, REASON_CREDIT}},
    {"credit_balance_exhausted", {OUTCOME_HOLD, REASON_CREDIT}},
    {"*_spend_limit_exceeded", {OUTCOME_HOLD, REASON_CREDIT}},
    {"*_spend_limit_reached", {OUTCOME_HOLD, REASON_CREDIT}},
    {"*_usage_limit_exceeded", {OUTCOME_HOLD, REASON_CREDIT}},
    {"billing_error", {OUTCOME_HOLD, REASON_CREDIT}},
    {"billing_not_active", {OUTCOME_HOLD, REASON_CREDIT}},
    {"billing_hard_limit_reached", {OUTCOME_HOLD, REASON_CREDIT}},
    {"insufficient_balance", {OUTCOME_HOLD, REASON_CREDIT}},
    {"invalid_api_key", {OUTCOME_HOLD, REASON_CREDENTIAL}},
    {"authentication_error", {OUTCOME_HOLD, REASON_CREDENTIAL}},
    {"permission_error", {OUTCOME_HOLD, REASON_CREDENTIAL}},
    {"model_not_found", {OUTCOME_HOLD, REASON_MODEL}},
    {"not_found_error", {OUTCOME_HOLD, REASON_MODEL}},
    {"NotFoundError", {OUTCOME_HOLD, REASON_MODEL}},
    {"DeploymentNotFound", {OUTCOME_HOLD, REASON_MODEL}},
    {"exceed_context_size_error", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"context_length_exceeded", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"request_too_large", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"content_filter", {OUTCOME_FAILED, REASON_FILTERED}},
    {"content_policy_violation", {OUTCOME_FAILED, REASON_FILTERED}},
    {"ResponsibleAIPolicyViolation", {OUTCOME_FAILED, REASON_FILTERED}},
    {"server_is_overloaded", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"service_unavailable_error", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"unavailable_error", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"overloaded_error", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"overloaded", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"capacity_exceeded", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"UNAVAILABLE", {OUTCOME_LATER, REASON_OVERLOAD}},
    {"rate_limit_exceeded", {OUTCOME_LATER, REASON_RATE}},
    {"rate_limit_error", {OUTCOME_LATER, REASON_RATE}},
    {"rate_limited", {OUTCOME_LATER, REASON_RATE}},
    {"slow_down", {OUTCOME_LATER, REASON_RATE}},
    {"RESOURCE_EXHAUSTED", {OUTCOME_LATER, REASON_RATE}},
};

/* Where the names do not tell, the words do. In any case of letters. */
static const struct {
    const char *words;
    struct verdict verdict;
} phrases[] = {
    {"api key not valid", {OUTCOME_HOLD, REASON_CREDENTIAL}},
    {"incorrect api key", {OUTCOME_HOLD, REASON_CREDENTIAL}},
    {"invalid api key", {OUTCOME_HOLD, REASON_CREDENTIAL}},
    {"specified api usage limits", {OUTCOME_HOLD, REASON_CREDIT}},
    {"credit balance is too low", {OUTCOME_HOLD, REASON_CREDIT}},
    {"insufficient balance", {OUTCOME_HOLD, REASON_CREDIT}},
    {"maximum context length", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"available context size", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"exceed context window", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"prompt is too long", {OUTCOME_FAILED, REASON_TOO_LONG}},
    {"input was flagged", {OUTCOME_FAILED, REASON_FILTERED}},
    /* vLLM could not print its own NaN: the request is not to blame, whatever 400 says */
    {"float values are not json compliant", {OUTCOME_RETRY, REASON_SERVER}},
};

/* Single statuses; the classes of the others are in by_status. */
static const struct {
    int status;
    struct verdict verdict;
} statuses[] = {
    {401, {OUTCOME_HOLD, REASON_CREDENTIAL}}, {402, {OUTCOME_HOLD, REASON_CREDIT}},
    {403, {OUTCOME_HOLD, REASON_CREDENTIAL}}, {404, {OUTCOME_HOLD, REASON_MODEL}},
    {405, {OUTCOME_HOLD, REASON_MODEL}},      {407, {OUTCOME_HOLD, REASON_CONFIG}},
    {408, {OUTCOME_RETRY, REASON_SERVER}},    {409, {OUTCOME_RETRY, REASON_SERVER}},
    {410, {OUTCOME_HOLD, REASON_MODEL}},      {412, {OUTCOME_HOLD, REASON_CREDIT}},
    {413, {OUTCOME_FAILED, REASON_TOO_LONG}}, {424, {OUTCOME_RETRY, REASON_SERVER}},
    {425, {OUTCOME_RETRY, REASON_SERVER}},    {429, {OUTCOME_LATER, REASON_RATE}},
    {498, {OUTCOME_HOLD, REASON_CREDENTIAL}}, {499, {OUTCOME_RETRY, REASON_SERVER}},
    {501, {OUTCOME_FAILED, REASON_REQUEST}},  {503, {OUTCOME_LATER, REASON_OVERLOAD}},
    {529, {OUTCOME_LATER, REASON_OVERLOAD}},
};

/* ---- words ----------------------------------------------------------------------------- */

static bool seek(struct span *text, const char *words)
{
    size_t n = strlen(words);
    for (struct span rest = *text; rest.n >= n; rest.p++, rest.n--) {
        if (strncasecmp(rest.p, words, n) != 0)
            continue;
        *text = (struct span){rest.p + n, rest.n - n};
        return true;
    }
    return false;
}

static bool is_name(struct span text, const char *name)
{
    if (name[0] != '*')
        return span_is(text, name);
    size_t n = strlen(++name);
    return text.n >= n && memcmp(text.p + text.n - n, name, n) == 0;
}

static bool by_name(const struct complaint *c, struct verdict *verdict)
{
    const struct span given[] = {c->detail, c->code, c->type};
    for (size_t i = 0; i < COUNT(given); i++)
        for (size_t k = 0; given[i].p != NULL && k < COUNT(names); k++)
            if (is_name(given[i], names[k].name)) {
                *verdict = names[k].verdict;
                return true;
            }
    return false;
}

static bool by_phrase(const struct complaint *c, struct verdict *verdict)
{
    for (size_t k = 0; k < COUNT(phrases); k++) {
        struct span text = c->message;
        if (!seek(&text, phrases[k].words))
            continue;
        *verdict = phrases[k].verdict;
        return true;
    }
    return false;
}

/* The first number that stands behind the word, digits grouped by commas or not; -1: none. */
static int64_t number_after(struct span text, const char *word)
{
    int64_t value = -1;
    while (value < 0 && seek(&text, word)) {
        struct span rest = text;
        while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '~' || rest.p[0] == ':'))
            rest = (struct span){rest.p + 1, rest.n - 1};
        for (; rest.n > 0 && value < INT64_MAX / 100; rest.p++, rest.n--) {
            if (rest.p[0] >= '0' && rest.p[0] <= '9')
                value = (value < 0 ? 0 : value) * 10 + (rest.p[0] - '0');
            else if (rest.p[0] != ',' || value < 0)
                break;
        }
    }
    return value;
}

/* "Limit 7000, Used 0, Requested ~12903. Please try again in 50s": waiting never helps. */
static bool is_too_big(const struct complaint *c)
{
    int64_t limit = number_after(c->message, "limit");
    int64_t requested = number_after(c->message, "requested");
    return limit >= 0 && requested > limit;
}

/* ---- verdicts -------------------------------------------------------------------------- */

static struct verdict by_status(int status)
{
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].verdict;
    if (status >= 300 && status < 400)
        return (struct verdict){OUTCOME_HOLD, REASON_REDIRECT};
    if (status >= 400 && status < 500)
        return (struct verdict){OUTCOME_FAILED, REASON_REQUEST};
    return (struct verdict){OUTCOME_RETRY, REASON_SERVER};
}

static struct verdict judge(int status, const struct complaint *c)
{
    struct verdict verdict;
    if (status >= 300 && status < 400)
        return by_status(status);
    if ((status == 429 || status == 413 || status == 0) && is_too_big(c))
        return (struct verdict){OUTCOME_FAILED, REASON_TOO_LONG};
    if (span_is(c->param, "input_tokens"))
        return (struct verdict){OUTCOME_FAILED, REASON_TOO_LONG};
    if (by_name(c, &verdict) || by_phrase(c, &verdict))
        return verdict;
    return by_status(status);
}

/* Some servers say outright whether to come back. */
static void obey(struct span headers, struct verdict *verdict)
{
    struct span should = headers_find(headers, "x-should-retry");
    bool again = verdict->outcome == OUTCOME_RETRY || verdict->outcome == OUTCOME_LATER;
    if (span_is(should, "true") && verdict->outcome == OUTCOME_FAILED)
        verdict->outcome = OUTCOME_RETRY;
    else if (span_is(should, "false") && again)
        verdict->outcome = OUTCOME_FAILED;
}

/* A wait that the body asks for: Google's RetryInfo, or prose; -1: none. */
static int64_t delay_in(struct span body)
{
    static const char *const leads[] = {"try again in ", "retry in ", "retry after ",
                                        "try again after "};
    struct span text = body;
    if (seek(&text, "retryDelay")) {
        while (text.n > 0 && (text.p[0] == '"' || text.p[0] == '\\' || text.p[0] == ':' ||
                              text.p[0] == ' '))
            text = (struct span){text.p + 1, text.n - 1};
        int64_t delay = delay_read(text);
        if (delay >= 0)
            return delay;
    }
    for (size_t i = 0; i < COUNT(leads); i++) {
        text = body;
        int64_t delay = seek(&text, leads[i]) ? delay_read(text) : -1;
        if (delay >= 0)
            return delay;
    }
    return -1;
}

static struct span make_note(const struct reply *reply, const struct complaint *c,
                             struct arena *arena)
{
    struct span target = headers_find(reply->headers, "location");
    if (reply->status < 300 || reply->status >= 400 || target.p == NULL)
        return note_line(c->message, arena);
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_format(&text, "redirected to ");
    buf_span(&text, target);
    struct span note = note_line(buf_view(&text), arena);
    buf_clear(&text);
    return note;
}

void failure_decode(const struct reply *reply, struct span body, struct arena *arena,
                    struct decoded *decoded)
{
    struct complaint complaint;
    complaint_read(body, arena, &complaint);
    bool inside = reply->status >= 200 && reply->status < 300;
    int named = complaint.status < 400 ? 0 : complaint.status;
    struct verdict verdict = judge(inside ? named : reply->status, &complaint);
    obey(reply->headers, &verdict);
    decoded->outcome = verdict.outcome;
    decoded->reason = verdict.reason;
    decoded->note = make_note(reply, &complaint, arena);
    if (verdict.outcome != OUTCOME_LATER && verdict.outcome != OUTCOME_RETRY)
        return;
    decoded->retry_after_ms = headers_retry_after(reply->headers);
    if (decoded->retry_after_ms < 0)
        decoded->retry_after_ms =
            delay_in((struct span){body.p, body.n < WORDS_MAX ? body.n : WORDS_MAX});
}
