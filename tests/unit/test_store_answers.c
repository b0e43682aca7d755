/* SPDX-License-Identifier: MIT */
/* Answers: bodies, texts and distributions, from the reply into the file and out again. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/unit/exchange.h"
#include "tests/unit/scratch.h"

/* ---- tests ---- */

static void test_plain(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct exchange r;
    asker_plan(a, 0, 1, false);
    exchange_start(&r);
    exchange_choice(&r, 1, NULL, NULL);
    exchange_finish(&r);
    exchange_settle(a, &r);
    assert_int_equal(r.answers[0].flags, 0);
    exchange_check(a->store, &r);
    assert_sql(a->store, "SELECT cuts IS NULL FROM attempt", "1");
    assert_sql(a->store, "SELECT count(*) FROM track", "0");
    assert_int_equal(asker_count(a).with_logprobs, 0);
    asker_close(a);
    exchange_end(&r);
    free(path);
}

static const struct tokens_spec specs[] = {
    {.seed = 1, .positions = 30, .alternatives = 20, .shape = 7, .numbers = TOKENS_F32},
    {.seed = 2, .positions = 30, .alternatives = 20, .shape = 6, .numbers = TOKENS_BF16},
    {.seed = 3,
     .positions = 9,
     .alternatives = 5,
     .shape = 6,
     .numbers = TOKENS_BF16_SHORT},
    {.seed = 4,
     .positions = 9,
     .alternatives = 0,
     .shape = 4,
     .numbers = TOKENS_F32_SHORT},
    {.seed = 5,
     .positions = 40,
     .alternatives = 9,
     .shape = 7,
     .ragged = true,
     .odd = true,
     .outside = true},
    {.seed = 6, .positions = 40, .alternatives = 9, .shape = 6, .numbers = TOKENS_F64},
    {.seed = 7, .positions = 40, .alternatives = 9, .shape = 6, .respelt = true},
};

static void test_logprobs(void **state)
{
    enum { CASES = sizeof specs / sizeof specs[0] };
    char *path = asker_path(state);
    struct exchange r[CASES];
    struct asker *a = asker_open(path);
    asker_plan(a, 0, CASES, false);
    for (int i = 0; i < CASES; i++) {
        exchange_start(&r[i]);
        exchange_choice(&r[i], i + 1, &specs[i], NULL);
        exchange_finish(&r[i]);
        exchange_settle(a, &r[i]);
        assert_int_equal(r[i].answers[0].flags, 0);
        exchange_check(a->store, &r[i]);
    }
    assert_sql(a->store, "SELECT sum(cuts IS NOT NULL) FROM attempt", "7");
    assert_sql(a->store, "SELECT sum(size) < 7 * 300 FROM attempt", "1");
    assert_int_equal(asker_count(a).with_logprobs, CASES);
    asker_close(a);
    /* Another process, which reads tokens one by one. */
    struct err err = {0};
    struct store *reader;
    assert_int_equal(store_open(path, STORE_READ, &reader, &err), 0);
    for (int i = CASES - 1; i >= 0; i--)
        exchange_check(reader, &r[i]);
    assert_sql(reader, "SELECT logprobs FROM answers LIMIT 1", "content");
    store_close(reader);
    for (int i = 0; i < CASES; i++)
        exchange_end(&r[i]);
    free(path);
}

/* One exchange for four requests: texts and lists keep to their choices. */
static void test_choices(void **state)
{
    static const struct tokens_spec content = {.seed = 1,
                                               .positions = 12,
                                               .alternatives = 3,
                                               .shape = 6,
                                               .numbers = TOKENS_BF16};
    struct tokens_spec refusal = content;
    refusal.positions = 4;
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct exchange r;
    asker_plan(a, 0, 6, false);
    exchange_start(&r);
    exchange_choice(&r, 3, &content, &refusal);
    exchange_choice(&r, 1, &content, NULL); /* a request with a smaller number */
    exchange_choice(&r, 6, NULL, &refusal);
    refusal.seed = 9;
    exchange_choice(&r, 5, &refusal, NULL);
    exchange_finish(&r);
    exchange_settle(a, &r);
    exchange_check(a->store, &r);
    assert_int_equal(asker_count(a).answered, 4);
    assert_int_equal(asker_count(a).attempts, 1);
    assert_int_equal(asker_count(a).planned, 2);
    assert_sql(a->store,
               "SELECT group_concat(choice) FROM (SELECT choice FROM answers"
               " ORDER BY request)",
               "1,0,3,2");
    assert_sql(a->store, "SELECT count(*) FROM serves", "3");
    asker_close(a);
    exchange_end(&r);
    free(path);
}

/* What the codec does not vouch for stays in the body; what it read is packed as well. */
static void test_not_understood(void **state)
{
    static const struct tokens_spec spec = {.seed = 1,
                                            .positions = 12,
                                            .alternatives = 3,
                                            .shape = 6,
                                            .numbers = TOKENS_BF16};
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct exchange r;
    asker_plan(a, 0, 2, false);
    for (int64_t i = 1; i <= 2; i++) {
        exchange_start(&r);
        exchange_choice(&r, i, &spec, NULL);
        exchange_finish(&r);
        if (i == 1)
            r.answers[0].understood = false;
        else /* a list that is not in the body: it was repaired */
            r.answers[0].tracks[0].array =
                arena_span(&r.arena, r.answers[0].tracks[0].array);
        exchange_settle(a, &r);
        assert_int_equal(r.answers[0].flags, FLAG_BODY_WHOLE);
        exchange_check(a->store, &r);
        exchange_end(&r);
    }
    assert_sql(a->store,
               "SELECT count(*) FROM attempt WHERE cuts IS NULL AND size > 2000", "2");
    assert_sql(a->store, "SELECT flags FROM answers LIMIT 1", "body_whole");
    asker_close(a);
    free(path);
}

/* An empty list is all that it says; of one that could not be read nothing is known. */
static void test_empty_list(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 2, false);
    for (int64_t i = 1; i <= 2; i++) {
        struct exchange r;
        exchange_start(&r);
        exchange_choice(&r, i, NULL, NULL);
        exchange_finish(&r);
        r.answers[0].tracks[TRACK_CONTENT].array = r.answers[0].tool_calls;
        r.answers[0].understood = i == 1;
        exchange_settle(a, &r);
        assert_int_equal(r.answers[0].flags, i == 1 ? 0 : FLAG_BODY_WHOLE);
        exchange_check(a->store, &r);
        exchange_end(&r);
    }
    asker_close(a);
    free(path);
}

/* JSON cannot say infinity, so the list stays where somebody said it; an entry without its
 * bytes cannot be written with them. */
static void test_not_writable(void **state)
{
    static const struct tokens_spec spec = {
        .seed = 1, .positions = 5, .alternatives = 3, .shape = 6, .numbers = TOKENS_F32};
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 3, false);
    for (int64_t i = 1; i <= 3; i++) {
        struct exchange r;
        exchange_start(&r);
        exchange_choice(&r, i, &spec, NULL);
        exchange_finish(&r);
        struct track *track = &r.answers[0].tracks[TRACK_CONTENT];
        if (i == 1) {
            track->entries[3].value = -INFINITY;
            track->style = 0;
        } else if (i == 2) {
            track->entries[2].bytes = (struct span){NULL, 0};
        } else {
            track->shape |= SHAPE_ID;
        }
        exchange_settle(a, &r);
        assert_int_equal(r.answers[0].flags, FLAG_BODY_WHOLE);
        exchange_check(a->store, &r);
        exchange_end(&r);
    }
    assert_sql(a->store, "SELECT count(*) FROM track", "3");
    asker_close(a);
    free(path);
}

/* Texts that the body does not contain (it was repaired) are kept beside it. */
static void test_extras(void **state)
{
    static const struct tokens_spec spec = {
        .seed = 1, .positions = 5, .alternatives = 3, .shape = 6, .numbers = TOKENS_F32};
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct exchange r;
    asker_plan(a, 0, 1, false);
    exchange_start(&r);
    exchange_choice(&r, 1, &spec, NULL);
    exchange_finish(&r);
    r.answers[0].content = SPAN_LITERAL("\"mended \xef\xbf\xbd\"");
    r.answers[0].reasoning = (struct span){NULL, 0};
    r.answers[0].tool_calls = SPAN_LITERAL("[]");
    exchange_settle(a, &r);
    exchange_check(a->store, &r);
    asker_close(a);
    exchange_end(&r);
    free(path);
}

static void test_second_answer(void **state)
{
    static const struct tokens_spec spec = {
        .seed = 1, .positions = 5, .alternatives = 3, .shape = 6, .numbers = TOKENS_F32};
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct exchange first, second;
    asker_plan(a, 0, 1, false);
    exchange_start(&first);
    exchange_choice(&first, 1, &spec, NULL);
    exchange_finish(&first);
    exchange_settle(a, &first);
    exchange_check(a->store, &first);
    exchange_start(&second);
    exchange_choice(&second, 1, NULL, &spec);
    exchange_finish(&second);
    exchange_settle(a, &second);

    struct err err = {0};
    struct arena arena = {0};
    struct attempt *attempts;
    struct track tracks[TRACKS];
    size_t n;
    assert_int_equal(store_attempts(a->store, 1, &arena, &attempts, &n, &err), 0);
    assert_int_equal(n, 2);
    check_json(attempts[0].body, buf_view(&first.body));
    check_json(attempts[1].body, buf_view(&second.body));
    assert_int_equal(store_tracks(a->store, 1, &arena, tracks, &err), 0);
    check_track(&tracks[TRACK_CONTENT], &first.answers[0].tracks[TRACK_CONTENT]);
    assert_int_equal(tracks[TRACK_REFUSAL].positions, 0);
    assert_int_equal(asker_count(a).answered, 1);
    arena_clear(&arena);
    exchange_end(&first);
    exchange_end(&second);
    asker_close(a);
    free(path);
}

/* ---- bodies without answers ---- */

static void test_bodies(void **state)
{
    static const struct {
        struct span body, limits;
    } cases[] = {
        {{NULL, 0}, {NULL, 0}},
        {SPAN_LITERAL(""), SPAN_LITERAL("")},
        {SPAN_LITERAL(""), SPAN_LITERAL("retry-after: 2\n")},
        {{NULL, 0}, SPAN_LITERAL("retry-after: 2\n")},
        {SPAN_LITERAL("<html>\0busy\xff"), SPAN_LITERAL("retry-after: 2\n")},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 1, false);
    for (size_t i = 0; i < CASES; i++) {
        struct attempt attempt = asker_attempt(a, 1, asker_send(a, 1), OUTCOME_RETRY);
        attempt.body = cases[i].body;
        attempt.limits = cases[i].limits;
        asker_begin(a);
        assert_int_equal(store_settled(a->store, &attempt, NULL, NULL, 0, &err), 0);
        asker_commit(a);
    }
    struct arena arena = {0};
    struct attempt *attempts;
    size_t n;
    assert_int_equal(store_attempts(a->store, 1, &arena, &attempts, &n, &err), 0);
    assert_int_equal(n, CASES);
    for (size_t i = 0; i < CASES; i++) {
        assert_true((attempts[i].body.p == NULL) == (cases[i].body.p == NULL));
        assert_true(span_equal(attempts[i].body, cases[i].body));
        assert_true(span_equal(attempts[i].limits, cases[i].limits));
        assert_int_equal(attempts[i].usage.prompt, -1);
    }
    arena_clear(&arena);
    asker_close(a);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),          TEST(test_logprobs),      TEST(test_choices),
        TEST(test_not_understood), TEST(test_not_writable),  TEST(test_empty_list),
        TEST(test_extras),         TEST(test_second_answer), TEST(test_bodies),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_answers", tests, NULL, NULL);
}
