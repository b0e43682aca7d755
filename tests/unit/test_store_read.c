/* SPDX-License-Identifier: MIT */
/* Reading: cursors, dictionaries, readers beside a run, damaged rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/statement.h"
#include "tests/unit/exchange.h"
#include "tests/unit/scratch.h"

/* ---- dictionaries ---- */

static void answer_many(struct asker *a, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        char *text = mem_format(
            "Answer %lld of many: the river %llx flows past %lld houses, and past a mill "
            "that %llx has turned for %lld years.",
            (long long)i, (unsigned long long)i * 2654435761u, (long long)(i * 31 % 997),
            (unsigned long long)i * 40503u, (long long)(i * 7 % 313));
        asker_answer(a, i, text, FINISH_STOP);
        free(text);
    }
}

static void check_many(struct store *store, int64_t n)
{
    struct err err = {0};
    struct cursor *cursor;
    const struct row *row;
    unsigned char last[SHA256_BYTES] = {0};
    int64_t found = 0;
    assert_int_equal(cursor_open(store, NULL, &cursor, &err), 0);
    for (; cursor_next(cursor, &row, &err) == 0 && row != NULL; found++) {
        char *text = mem_format("\"Answer %lld of many: ", (long long)row->request);
        assert_memory_equal(row->content.p, text, strlen(text));
        assert_true(memcmp(row->key, last, SHA256_BYTES) > 0);
        memcpy(last, row->key, SHA256_BYTES);
        assert_true(span_is(row->teacher, "smol"));
        assert_true(span_is(row->model_served, "smol-135m-q4"));
        assert_true(span_is(row->license, "apache-2.0"));
        assert_true(span_is(row->form_params, "{\"max_tokens\":64}"));
        assert_int_equal(row->usage.completion, 5);
        assert_int_equal(row->usage.cached, -1);
        free(text);
    }
    assert_int_equal(err.code, ERR_NONE);
    assert_int_equal(found, n);
    cursor_close(cursor);
}

static void test_dictionary(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 500, false);
    answer_many(a, 1, 201);
    assert_sql(a->store, "SELECT count(*) FROM dict", "0");
    asker_close(a);
    a = asker_open(path); /* bodies of earlier runs count */
    answer_many(a, 201, 301);
    assert_sql(a->store, "SELECT count(*) FROM dict", "1");
    assert_sql(a->store,
               "SELECT avg(length(body)) FILTER (WHERE dict IS NOT NULL) <"
               " 0.8 * avg(length(body)) FILTER (WHERE dict IS NULL) FROM attempt",
               "1");
    asker_close(a);
    a = asker_open(path); /* and one is enough */
    answer_many(a, 301, 501);
    assert_sql(a->store, "SELECT count(*) || sum(dict IS NULL) FROM attempt", "500255");
    assert_sql(a->store, "SELECT count(*) FROM dict", "1");
    check_many(a->store, 500);
    asker_close(a);
    struct err err = {0};
    struct store *reader;
    assert_int_equal(store_open(path, STORE_READ, &reader, &err), 0);
    check_many(reader, 500);
    store_close(reader);
    free(path);
}

/* Dictionary and vocabulary of an undone transaction are not used by the next. */
static void test_rollback(void **state)
{
    static const struct tokens_spec spec = {.seed = 1,
                                            .positions = 12,
                                            .alternatives = 3,
                                            .shape = 6,
                                            .numbers = TOKENS_BF16};
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    struct exchange r;
    asker_plan(a, 0, 400, false);
    answer_many(a, 1, 256);
    exchange_start(&r);
    exchange_choice(&r, 256, &spec, NULL);
    exchange_finish(&r);
    struct attempt attempt = asker_attempt(a, 256, asker_send(a, 256), OUTCOME_ANSWERED);
    attempt.body = buf_view(&r.body);
    asker_begin(a);
    assert_int_equal(store_settled(a->store, &attempt, r.answers, r.requests, 1, &err),
                     0);
    assert_sql(a->store, "SELECT count(*) FROM dict", "1");
    assert_sql(a->store, "SELECT count(*) > 0 FROM vocab", "1");
    store_rollback(a->store);
    assert_sql(a->store, "SELECT (SELECT count(*) FROM dict) + count(*) FROM vocab", "0");
    r.answers[0].flags = 0;
    exchange_settle(a, &r);
    exchange_check(a->store, &r);
    answer_many(a, 257, 300);
    asker_close(a);
    struct store *reader;
    assert_int_equal(store_open(path, STORE_READ, &reader, &err), 0);
    exchange_check(reader, &r);
    store_close(reader);
    exchange_end(&r);
    free(path);
}

/* ---- choosing and reading along ---- */

static void test_selected(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 50, false);
    answer_many(a, 1, 51);
    struct plan_item items[3];
    for (int i = 0; i < 3; i++) {
        struct prompt prompt;
        items[i] = asker_item(a, (uint64_t)i * 40, &prompt); /* 0, 40, 80: not there */
    }
    asker_close(a);
    struct err err = {0};
    struct store *reader;
    const struct row *row;
    struct cursor *cursor, *other;
    const struct cursor_filter filter = {.only_selected = true};
    assert_int_equal(store_open(path, STORE_READ, &reader, &err), 0);
    assert_int_equal(cursor_open(reader, &filter, &cursor, &err), 0);
    assert_int_equal(cursor_next(cursor, &row, &err), 0);
    assert_null(row); /* none was named */
    cursor_close(cursor);
    for (int i = 0; i < 6; i++)
        assert_int_equal(store_select(reader, items[i % 3].prompt_hash, &err), 0);
    assert_int_equal(cursor_open(reader, &filter, &cursor, &err), 0);
    assert_int_equal(cursor_open(reader, NULL, &other, &err), 0);
    int64_t sum = 0, n = 0;
    while (cursor_next(cursor, &row, &err) == 0 && row != NULL) {
        sum += row->request;
        assert_int_equal(cursor_next(other, &row, &err), 0); /* in step, undisturbed */
        n++;
    }
    assert_int_equal(n, 2);
    assert_int_equal(sum, 1 + 41);
    cursor_close(other);
    cursor_close(cursor);
    store_close(reader);
    free(path);
}

/* A reader that has met the vocabulary goes on to understand what a run adds to it. */
static void test_growing_vocabulary(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    struct store *reader;
    asker_plan(a, 0, 3, false);
    assert_int_equal(store_open(path, STORE_READ, &reader, &err), 0);
    for (int64_t i = 1; i <= 3; i++) {
        const struct tokens_spec spec = {.seed = (uint64_t)i * 1000,
                                         .positions = 40,
                                         .alternatives = 20,
                                         .shape = SHAPE_BYTES | SHAPE_TOP,
                                         .numbers = TOKENS_BF16};
        struct exchange r;
        exchange_start(&r);
        exchange_choice(&r, i, &spec, NULL);
        exchange_finish(&r);
        exchange_settle(a, &r);
        exchange_check(reader, &r);
        exchange_end(&r);
    }
    store_close(reader);
    asker_close(a);
    free(path);
}

/* A blob that somebody changed is told by its checksum, and named. */
static void test_damage(void **state)
{
    static const struct tokens_spec spec = {.seed = 1,
                                            .positions = 12,
                                            .alternatives = 3,
                                            .shape = 6,
                                            .numbers = TOKENS_BF16};
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct exchange r;
    asker_plan(a, 0, 1, false);
    exchange_start(&r);
    exchange_choice(&r, 1, &spec, NULL);
    exchange_finish(&r);
    exchange_settle(a, &r);
    struct err err = {0};
    struct arena arena = {0};
    struct attempt *attempts;
    struct track tracks[TRACKS];
    struct row row;
    bool answered;
    size_t n;
    assert_int_equal(
        store_execute(a->store, "UPDATE track SET data = substr(data, 1, 90)", &err), 0);
    assert_int_equal(store_tracks(a->store, 1, &arena, tracks, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    err = (struct err){0};
    assert_int_equal(store_attempts(a->store, 1, &arena, &attempts, &n, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    err = (struct err){0};
    assert_int_equal(store_row(a->store, 1, &arena, &row, &answered, &err), 0);
    assert_int_equal(
        store_execute(a->store, "UPDATE attempt SET body = substr(body, 1, 90)", &err),
        0);
    assert_int_equal(store_row(a->store, 1, &arena, &row, &answered, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    assert_non_null(strstr(err.what, "attempt 1"));
    arena_clear(&arena);
    exchange_end(&r);
    asker_close(a);
    free(path);
}

/* ---- runs, finding ---- */

static void test_runs(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 2, false);
    asker_answer(a, 1, "x", FINISH_STOP);
    asker_begin(a);
    assert_int_equal(store_run_end(a->store, a->run, 61000, 3, &err), 0);
    asker_commit(a);
    assert_sql(a->store,
               "SELECT command || '|' || ended || '|' || exit_code || '|' ||"
               " attempts || answers || completion_tokens FROM runs",
               "harvest run test|1970-01-01 00:01:01|3|115");
    asker_close(a);
    a = asker_open(path);
    assert_int_equal(a->run, 2);
    /* The same teacher, terms and form are found again; another name is taken over. */
    assert_int_equal(a->teacher, 1);
    assert_int_equal(a->terms, 1);
    assert_int_equal(a->form, 1);
    struct teacher_tag tag = {
        .identity = "smol", .wire = "openai-chat", .model = "smol-135m", .name = "new"};
    int64_t teacher, terms;
    asker_begin(a);
    assert_int_equal(store_teacher(a->store, &tag, &teacher, &terms, &err), 0);
    assert_int_equal(teacher, 1);
    assert_int_equal(terms, 2); /* nothing stated is not what was stated before */
    assert_int_equal(store_teacher(a->store, &tag, &teacher, &terms, &err), 0);
    assert_int_equal(terms, 2);
    tag.identity = "other";
    assert_int_equal(store_teacher(a->store, &tag, &teacher, &terms, &err), 0);
    assert_int_equal(teacher, 2);
    asker_commit(a);
    assert_sql(a->store, "SELECT name FROM teachers WHERE id = 1", "new");
    asker_close(a);
    free(path);
}

static void plan_labelled(struct asker *a, uint64_t number, const char *id)
{
    struct err err = {0};
    struct plan_counts c = {0};
    struct prompt prompt;
    asker_begin(a);
    struct plan_item item = asker_item(a, number, &prompt);
    prompt.id = span_of(id);
    assert_int_equal(store_plan_start(a->store, false, &err), 0);
    assert_int_equal(store_plan(a->store, &item, &c, &err), 0);
    asker_commit(a);
}

static void test_find(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 100, false);
    plan_labelled(a, 7, "deadbeef"); /* request 8 */
    char *key = asker_sql(a->store, "SELECT key FROM requests WHERE id = 50");
    char *id = asker_sql(a->store, "SELECT prompt_id FROM requests WHERE id = 20");
    const struct {
        struct span text;
        size_t n;
        int64_t request;
    } cases[] = {
        {{key, 64}, 1, 50},
        {{key, 15}, 1, 50}, /* an odd number of digits is fine */
        {{id, 16}, 1, 20},
        {SPAN_LITERAL("deadbeef"), 1, 8},
        {SPAN_LITERAL("deadbee"), 0, 0},
        {SPAN_LITERAL("nobody"), 0, 0},
        {SPAN_LITERAL(""), 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t found[2] = {0};
        size_t n;
        assert_int_equal(store_find(a->store, cases[i].text, found, 2, &n, &err), 0);
        assert_int_equal(n, cases[i].n);
        assert_int_equal(found[0], cases[i].request);
    }
    int64_t found[1];
    size_t n, all = 0;
    for (int digit = 0; digit < 16; digit++) {
        assert_int_equal(store_find(a->store,
                                    (struct span){&"0123456789abcdef"[digit], 1}, found,
                                    1, &n, &err),
                         0);
        all += n; /* counts beyond what there is room for */
    }
    assert_int_equal(all, 100);
    free(key);
    free(id);
    asker_close(a);
    free(path);
}

static void test_failures(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 6, false);
    asker_fail(a, 1, OUTCOME_FAILED, REASON_REQUEST, "first words");
    asker_fail(a, 2, OUTCOME_FAILED, REASON_TOO_LARGE, NULL);
    asker_fail(a, 3, OUTCOME_FAILED, REASON_REQUEST, "other words");
    asker_fail(a, 4, OUTCOME_RETRY, REASON_SERVER, "not failed yet");
    struct failure_count rows[4];
    struct err err = {0};
    size_t n;
    assert_int_equal(store_failures(a->store, rows, 4, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].reason, REASON_REQUEST);
    assert_int_equal(rows[0].status, 400);
    assert_int_equal(rows[0].count, 2);
    assert_string_equal(rows[0].note, "first words");
    assert_int_equal(rows[1].reason, REASON_TOO_LARGE);
    assert_string_equal(rows[1].note, "");
    assert_int_equal(store_failures(a->store, rows, 1, &n, &err), 0);
    assert_int_equal(n, 1);
    asker_close(a);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dictionary), TEST(test_rollback),
        TEST(test_selected),   TEST(test_growing_vocabulary),
        TEST(test_damage),     TEST(test_runs),
        TEST(test_find),       TEST(test_failures),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_read", tests, NULL, NULL);
}
