/* SPDX-License-Identifier: MIT */
/* Replies of real servers: decoded, stored and read back, every number and every member. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "tests/unit/captured.h"
#include "tests/unit/exchange.h"
#include "tests/unit/scratch.h"

enum { CHOICES = 8 };

/* What is stored of a reply besides its answers. */
static struct attempt attempt_of(struct asker *a, const struct captured *captured,
                                 const struct decoded *decoded, int64_t request)
{
    struct attempt attempt =
        asker_attempt(a, request, asker_send(a, request), decoded->outcome);
    attempt.reason = decoded->reason;
    attempt.status = captured->reply.status;
    attempt.usage = decoded->usage;
    attempt.model = decoded->model;
    attempt.fingerprint = decoded->fingerprint;
    attempt.request_id = decoded->request_id;
    attempt.note = decoded->note;
    attempt.limits = captured->reply.headers;
    attempt.body = captured->reply.body;
    return attempt;
}

static void check_answers(struct store *store, const struct decoded *decoded,
                          const int64_t *requests)
{
    struct err err = {0};
    for (size_t i = 0; i < decoded->n_answers; i++) {
        struct arena arena = {0};
        struct track tracks[TRACKS];
        struct row row;
        bool answered;
        const struct answer *answer = &decoded->answers[i];
        assert_int_equal(store_row(store, requests[i], &arena, &row, &answered, &err), 0);
        assert_true(answered);
        assert_true(span_equal(row.content, answer->content));
        assert_true(span_equal(row.reasoning, answer->reasoning));
        assert_true(span_equal(row.refusal, answer->refusal));
        assert_true(span_equal(row.tool_calls, answer->tool_calls));
        assert_int_equal(row.finish, answer->finish);
        assert_int_equal(row.flags, answer->flags);
        assert_int_equal(store_tracks(store, requests[i], &arena, tracks, &err), 0);
        for (int t = 0; t < TRACKS; t++)
            check_track(&answer->tracks[t], &tracks[t]);
        arena_clear(&arena);
    }
}

/* The restored body is the reply: equal in value, or byte for byte where it is no JSON. */
static void check_body(struct store *store, const struct captured *captured,
                       int64_t request)
{
    struct err err = {0};
    struct arena arena = {0};
    struct attempt *attempts;
    struct span body = captured->reply.body;
    size_t n;
    assert_int_equal(store_attempts(store, request, &arena, &attempts, &n, &err), 0);
    assert_int_equal(n, 1);
    json_t *json = json_loadb(body.p, body.n, JSON_DECODE_ANY, NULL);
    if (json == NULL)
        assert_true(span_equal(attempts[0].body, body));
    else
        check_json(attempts[0].body, body);
    json_decref(json);
    assert_true(span_equal(attempts[0].limits, captured->reply.headers));
    arena_clear(&arena);
}

/* Flags that packing may set; no captured reply needs its lists kept. */
static void check_reply(struct asker *a, const char *name, int64_t first)
{
    struct err err = {0};
    struct captured captured;
    struct decoded decoded = {0};
    int64_t requests[CHOICES];
    for (int64_t i = 0; i < CHOICES; i++)
        requests[i] = first + i;
    captured_load(name, &captured);
    captured_decode(&captured, &decoded);
    assert_true(decoded.n_answers <= CHOICES);
    struct attempt attempt = attempt_of(a, &captured, &decoded, first);
    bool answered = decoded.outcome == OUTCOME_ANSWERED;
    if (!answered)
        decoded.n_answers = 0;
    asker_begin(a);
    assert_int_equal(store_settled(a->store, &attempt, decoded.answers, requests,
                                   decoded.n_answers, &err),
                     0);
    asker_commit(a);
    for (size_t i = 0; i < decoded.n_answers; i++)
        if ((decoded.answers[i].flags & FLAG_BODY_WHOLE) != 0)
            fail_msg("%s: the lists were left in the body", name);
    check_answers(a->store, &decoded, requests);
    check_body(a->store, &captured, first);
    captured_clear(&captured);
}

static void test_replies(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct arena arena = {0};
    size_t n;
    char **names = captured_names(&arena, &n);
    assert_true(n > 40);
    asker_plan(a, 0, n * CHOICES, false);
    for (size_t i = 0; i < n; i++)
        check_reply(a, names[i], (int64_t)(1 + i * CHOICES));
    assert_sql(a->store, "SELECT count(*) > 12 FROM track", "1");
    assert_sql(a->store, "PRAGMA integrity_check", "ok");
    arena_clear(&arena);
    asker_close(a);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replies),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_replies", tests, NULL, NULL);
}
