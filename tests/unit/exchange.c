/* SPDX-License-Identifier: MIT */
#include "tests/unit/exchange.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

enum { BODY_ROOM = 4 << 20 };

static struct span mark(struct exchange *r, size_t start)
{
    return (struct span){r->body.p + start, r->body.n - start};
}

void exchange_start(struct exchange *r)
{
    *r = (struct exchange){0};
    buf_init(&r->body, BODY_ROOM);
    buf_reserve(&r->body, BODY_ROOM - 1);
    buf_text(&r->body, "{\"id\":\"x\",\"choices\":[");
}

void exchange_end(struct exchange *r)
{
    arena_clear(&r->arena);
    buf_clear(&r->body);
}

void exchange_choice(struct exchange *r, int64_t request,
                     const struct tokens_spec *content, const struct tokens_spec *refusal)
{
    struct answer *answer = &r->answers[r->n];
    *answer =
        (struct answer){.index = (int)r->n, .finish = FINISH_STOP, .understood = true};
    r->requests[r->n] = request;
    buf_format(&r->body, "%s{\"index\":%zu,\"message\":{\"content\":", r->n ? "," : "",
               r->n);
    size_t start = r->body.n;
    buf_format(&r->body, "\"content of %lld\"", (long long)request);
    answer->content = mark(r, start);
    buf_text(&r->body, "},\"logprobs\":{\"content\":");
    if (content != NULL)
        tokens_make(content, &r->body, &r->arena, &answer->tracks[TRACK_CONTENT]);
    else
        buf_text(&r->body, "null");
    buf_text(&r->body, ",\"refusal\":");
    if (refusal != NULL)
        tokens_make(refusal, &r->body, &r->arena, &answer->tracks[TRACK_REFUSAL]);
    else
        buf_text(&r->body, "null");
    buf_text(&r->body, "},\"more\":{\"reasoning\":");
    start = r->body.n;
    buf_format(&r->body, "\"reasons of %lld\"", (long long)request);
    answer->reasoning = mark(r, start);
    buf_text(&r->body, ",\"tools\":");
    start = r->body.n;
    buf_text(&r->body, "[{\"name\":\"f\"}]");
    answer->tool_calls = mark(r, start);
    buf_text(&r->body, "}}");
    r->n++;
}

void exchange_finish(struct exchange *r)
{
    buf_text(&r->body, "],\"usage\":{\"prompt_tokens\":1}}");
}

void exchange_settle(struct asker *a, struct exchange *r)
{
    struct err err = {0};
    struct attempt attempt =
        asker_attempt(a, r->requests[0], asker_send(a, r->requests[0]), OUTCOME_ANSWERED);
    attempt.body = buf_view(&r->body);
    attempt.limits = SPAN_LITERAL("x-ratelimit-remaining-requests: 17\n");
    attempt.request_id = SPAN_LITERAL("req-1");
    attempt.fingerprint = SPAN_LITERAL("fp-1");
    asker_begin(a);
    int rc = store_settled(a->store, &attempt, r->answers, r->requests, r->n, &err);
    if (rc != 0)
        err_print(&err, stderr, false);
    assert_int_equal(rc, 0);
    asker_commit(a);
}

/* ---- comparing ---- */

void check_track(const struct track *a, const struct track *b)
{
    assert_int_equal(a->positions, b->positions);
    if (a->positions == 0)
        return;
    assert_int_equal(a->shape, b->shape);
    assert_int_equal(a->style, b->style);
    assert_memory_equal(a->first, b->first, (a->positions + 1) * sizeof *a->first);
    for (uint32_t i = 0; i < a->first[a->positions]; i++) {
        const struct logprob *x = &a->entries[i], *y = &b->entries[i];
        assert_true((isnan(x->value) && isnan(y->value)) ||
                    memcmp(&x->value, &y->value, sizeof x->value) == 0);
        assert_true(x->id == y->id);
        assert_true(span_equal(x->token, y->token));
        assert_true((x->bytes.p == NULL) == (y->bytes.p == NULL));
        assert_true(span_equal(x->bytes, y->bytes));
    }
}

void check_json(struct span a, struct span b)
{
    json_t *x = json_loadb(a.p, a.n, 0, NULL), *y = json_loadb(b.p, b.n, 0, NULL);
    assert_non_null(x);
    assert_non_null(y);
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

void exchange_check(struct store *store, const struct exchange *r)
{
    struct err err = {0};
    for (size_t i = 0; i < r->n; i++) {
        struct arena arena = {0};
        struct track tracks[TRACKS];
        struct row row;
        struct attempt *attempts;
        size_t n;
        bool answered;
        int64_t request = r->requests[i];
        assert_int_equal(store_row(store, request, &arena, &row, &answered, &err), 0);
        assert_true(answered);
        assert_true(span_equal(row.content, r->answers[i].content));
        assert_true(span_equal(row.reasoning, r->answers[i].reasoning));
        assert_true(span_equal(row.tool_calls, r->answers[i].tool_calls));
        assert_null(row.refusal.p);
        assert_int_equal(row.flags, r->answers[i].flags);
        assert_int_equal(store_tracks(store, request, &arena, tracks, &err), 0);
        for (int t = 0; t < TRACKS; t++)
            check_track(&r->answers[i].tracks[t], &tracks[t]);
        assert_int_equal(store_attempts(store, request, &arena, &attempts, &n, &err), 0);
        assert_int_equal(n, 1);
        check_json(attempts[0].body, buf_view(&r->body));
        assert_true(span_is(attempts[0].limits, "x-ratelimit-remaining-requests: 17\n"));
        assert_true(span_is(attempts[0].request_id, "req-1"));
        assert_true(span_is(attempts[0].fingerprint, "fp-1"));
        assert_int_equal(attempts[0].ended_ms - attempts[0].sent_ms, 345);
        arena_clear(&arena);
    }
}
