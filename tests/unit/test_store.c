/* SPDX-License-Identifier: MIT */
/* The ledger: planning, taking, sending, settling, retrying, and being killed. */
#include "store/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/statement.h"
#include "tests/unit/asker.h"
#include "tests/unit/scratch.h"

/* ---- planning ---- */

static void test_plan(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct plan_counts c = asker_plan(a, 0, 10, false);
    assert_int_equal(c.requests, 10);
    assert_int_equal(c.added, 10);
    assert_int_equal(c.todo, 10);
    assert_int_equal(c.duplicates + c.answered + c.failed + c.held + c.ambiguous, 0);
    assert_int_equal(asker_take(a), 10);
    for (size_t i = 0; i < 10; i++) {
        char *expected = mem_format("[{\"content\":\"%zu\",\"role\":\"user\"}]", i);
        assert_true(span_is(a->todos[i].messages, expected));
        assert_null(a->todos[i].params.p);
        assert_false(a->todos[i].was_ambiguous);
        assert_true(a->todos[i].teacher == a->teacher && a->todos[i].form == a->form);
        free(expected);
    }
    /* Known and new ones together: what is to be done are all of them. */
    c = asker_plan(a, 5, 15, false);
    assert_int_equal(c.requests, 10);
    assert_int_equal(c.added, 5);
    assert_int_equal(c.todo, 10);
    assert_int_equal(asker_take(a), 10);
    asker_answer(a, a->todos[0].request, "yes", FINISH_STOP);
    c = asker_plan(a, 5, 15, false);
    assert_int_equal(c.answered, 1);
    assert_int_equal(c.todo, 9);
    asker_close(a);
    free(path);
}

static void test_duplicates(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    for (int round = 0; round < 2; round++) { /* new, then known */
        struct plan_counts c = {0};
        asker_begin(a);
        assert_int_equal(store_plan_start(a->store, false, &err), 0);
        for (uint64_t i = 0; i < 12; i++) {
            struct prompt prompt;
            struct plan_item item = asker_item(a, i % 4, &prompt);
            assert_int_equal(store_plan(a->store, &item, &c, &err), 0);
        }
        asker_commit(a);
        assert_int_equal(c.requests, 4);
        assert_int_equal(c.duplicates, 8);
        assert_int_equal(c.todo, 4);
        assert_int_equal(c.added, round == 0 ? 4 : 0);
        assert_int_equal(asker_take(a), 4);
    }
    asker_close(a);
    free(path);
}

/* Long messages are packed; parameters and an empty text stay what they are. */
static void test_long_prompt(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 20000; i++)
        buf_format(&text, "word%d ", i % 100);
    struct prompt prompt;
    struct plan_item item = asker_item(a, 1, &prompt);
    prompt.messages = buf_view(&text);
    prompt.params = SPAN_LITERAL("{\"seed\":1}");
    prompt.metadata = SPAN_LITERAL("{}");
    struct plan_counts c = {0};
    asker_begin(a);
    assert_int_equal(store_plan_start(a->store, false, &err), 0);
    assert_int_equal(store_plan(a->store, &item, &c, &err), 0);
    asker_commit(a);
    assert_int_equal(asker_take(a), 1);
    assert_true(span_equal(a->todos[0].messages, prompt.messages));
    assert_true(span_equal(a->todos[0].params, prompt.params));
    assert_sql(a->store,
               "SELECT typeof(messages) || (length(messages) < 5000) FROM prompt",
               "blob1");
    struct arena arena = {0};
    struct row row;
    bool answered;
    assert_int_equal(store_row(a->store, 1, &arena, &row, &answered, &err), 0);
    assert_false(answered);
    assert_true(span_equal(row.messages, prompt.messages));
    assert_true(span_equal(row.metadata, prompt.metadata));
    assert_true(span_is(row.system, "Be brief."));
    assert_null(row.content.p);
    arena_clear(&arena);
    buf_clear(&text);
    asker_close(a);
    free(path);
}

static void plan_labelled(struct asker *a, const char *const *ids, size_t n)
{
    struct err err = {0};
    struct plan_counts c = {0};
    asker_begin(a);
    assert_int_equal(store_plan_start(a->store, false, &err), 0);
    for (size_t i = 0; i < n; i++) {
        struct prompt prompt;
        struct plan_item item = asker_item(a, 7, &prompt);
        prompt.id = span_of(ids[i]);
        prompt.metadata = span_of(ids[i] == NULL ? NULL : "{\"a\":1}");
        assert_int_equal(store_plan(a->store, &item, &c, &err), 0);
    }
    asker_commit(a);
    assert_int_equal(c.requests, 1);
}

/* The same prompt under several names: in one plan the first wins, every night anew. */
static void test_labels(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    static const char *const first[] = {"x", "y"}, *const then[] = {"z", "x"},
                             *const none[] = {NULL};
    for (int night = 0; night < 3; night++) {
        plan_labelled(a, first, 2);
        assert_sql(a->store, "SELECT prompt_id || metadata FROM prompt", "x{\"a\":1}");
    }
    plan_labelled(a, then, 2);
    assert_sql(a->store, "SELECT prompt_id FROM prompt", "z");
    plan_labelled(a, none, 1);
    assert_sql(a->store, "SELECT prompt_id IS NULL AND metadata IS NULL FROM prompt",
               "1");
    assert_sql(a->store, "SELECT prompt_id = substr(hash, 1, 16) FROM prompts", "1");
    asker_close(a);
    free(path);
}

/* A parameter moved from the option to the row: the same key, another prompt and form. */
static void test_respelt(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 1, false);
    asker_begin(a);
    struct prompt prompt;
    struct plan_item item = asker_item(a, 0, &prompt);
    prompt.params = SPAN_LITERAL("{\"max_tokens\":64}");
    item.prompt_hash[0] ^= 1;
    assert_int_equal(
        store_form(a->store, SPAN_LITERAL("{}"), (struct span){0}, &item.form, &err), 0);
    struct plan_counts c = {0};
    assert_int_equal(store_plan_start(a->store, false, &err), 0);
    assert_int_equal(store_plan(a->store, &item, &c, &err), 0);
    asker_commit(a);
    assert_int_equal(c.added, 0);
    assert_int_equal(c.todo, 1);
    assert_int_equal(asker_take(a), 1);
    assert_true(span_equal(a->todos[0].params, prompt.params));
    assert_true(a->todos[0].form == item.form);
    asker_close(a);
    free(path);
}

/* In portions, each going on behind the last request of the one before. */
static struct todo *fill_one(void *arg, struct arena **arena)
{
    struct asker *a = arg;
    *arena = &a->arenas[0];
    arena_reset(*arena);
    return &a->todos[0];
}

static void test_take_portions(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 25, false);
    size_t taken, all = 0;
    int64_t after = 0;
    do {
        assert_int_equal(store_take(a->store, after, 10, fill_one, a, &taken, &err), 0);
        all += taken;
        assert_true(a->todos[0].request > after || taken == 0);
        after = a->todos[0].request;
    } while (taken == 10);
    assert_int_equal(all, 25);
    assert_int_equal(store_take(a->store, after, 10, fill_one, a, &taken, &err), 0);
    assert_int_equal(taken, 0);
    asker_close(a);
    free(path);
}

/* ---- states ---- */

static void test_states(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 8, false);
    assert_int_equal(asker_take(a), 8);
    asker_answer(a, 1, "one", FINISH_STOP);
    asker_answer(a, 2, "two", FINISH_LENGTH);
    asker_fail(a, 3, OUTCOME_FAILED, REASON_REQUEST, "no such thing");
    asker_fail(a, 4, OUTCOME_AMBIGUOUS, REASON_TIMEOUT, NULL);
    asker_fail(a, 5, OUTCOME_LATER, REASON_RATE, "slow down");
    asker_fail(a, 6, OUTCOME_UNSENT, REASON_CONNECT, NULL);
    asker_send(a, 7);
    struct store_counts c = asker_count(a);
    assert_int_equal(c.prompts, 8);
    assert_int_equal(c.requests, 8);
    assert_int_equal(c.answered, 2);
    assert_int_equal(c.truncated, 1);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.ambiguous, 1);
    assert_int_equal(c.in_flight, 1);
    assert_int_equal(c.planned, 3);
    assert_int_equal(c.attempts, 6);
    assert_int_equal(c.prompt_tokens, 6);
    assert_int_equal(c.completion_tokens, 10);
    assert_int_equal(c.cached_tokens, 0);
    assert_int_equal(c.reasoning_tokens, 2);
    assert_true(c.bytes > 0);
    /* The view tells the same. */
    assert_sql(a->store,
               "SELECT group_concat(state) FROM (SELECT state FROM requests"
               " ORDER BY id)",
               "answered,answered,failed,ambiguous,planned,planned,in flight,planned");
    struct plan_counts p = asker_plan(a, 0, 8, true);
    assert_int_equal(p.answered, 2);
    assert_int_equal(p.failed, 1);
    assert_int_equal(p.held, 1);
    assert_int_equal(p.todo, 4);
    p = asker_plan(a, 0, 8, false);
    assert_int_equal(p.ambiguous, 1);
    assert_int_equal(p.todo, 5);
    asker_close(a);
    free(path);
}

static void test_unsent(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 2, false);
    int64_t attempt = asker_send(a, 1);
    asker_begin(a);
    assert_int_equal(store_serves(a->store, attempt, 2, &err), 0);
    asker_commit(a);
    assert_int_equal(asker_count(a).in_flight, 2);
    asker_begin(a);
    assert_int_equal(store_unsent(a->store, attempt, &err), 0);
    asker_commit(a);
    assert_int_equal(asker_count(a).in_flight, 0);
    assert_int_equal(asker_count(a).planned, 2);
    assert_int_equal(asker_count(a).attempts, 0);
    assert_true(asker_send(a, 1) > attempt); /* a number is not given twice */
    asker_close(a);
    free(path);
}

/* ---- retry ---- */

static void test_retry(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    struct retry_counts r;
    asker_plan(a, 0, 5, false);
    asker_fail(a, 1, OUTCOME_FAILED, REASON_REQUEST, "no");
    asker_fail(a, 2, OUTCOME_AMBIGUOUS, REASON_TIMEOUT, NULL);
    asker_fail(a, 3, OUTCOME_AMBIGUOUS, REASON_CUT, NULL);
    asker_fail(a, 3, OUTCOME_FAILED, REASON_REQUEST, "no");
    asker_answer(a, 4, "cut o", FINISH_LENGTH);

    assert_int_equal(store_retry(a->store, RETRY_FAILED, &r, &err), 0);
    assert_int_equal(r.failed, 2);
    assert_int_equal(r.ambiguous + r.truncated, 0);
    struct plan_counts c = asker_plan(a, 0, 5, true);
    assert_int_equal(c.failed, 0);
    assert_int_equal(c.held, 1); /* number 2; whoever retries 3 knows of its doubt */
    assert_int_equal(c.todo, 3);

    assert_int_equal(store_retry(a->store, RETRY_AMBIGUOUS, &r, &err), 0);
    assert_int_equal(r.ambiguous, 1);
    c = asker_plan(a, 0, 5, true);
    assert_int_equal(c.held, 0);
    assert_int_equal(c.todo, 4);
    assert_int_equal(asker_take(a), 4);
    assert_false(a->todos[0].was_ambiguous);
    assert_true(a->todos[1].was_ambiguous); /* allowed, and still worth a warning */
    /* It happens again: held again. */
    asker_fail(a, 2, OUTCOME_AMBIGUOUS, REASON_TIMEOUT, NULL);
    c = asker_plan(a, 0, 5, true);
    assert_int_equal(c.held, 1);
    asker_close(a);
    free(path);
}

static int64_t only_todo(struct asker *a)
{
    assert_int_equal(asker_take(a), 1);
    return a->todos[0].request;
}

static void test_editions(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    struct retry_counts r;
    asker_plan(a, 0, 2, false);
    asker_answer(a, 1, "a long st", FINISH_LENGTH);
    asker_answer(a, 2, "whole", FINISH_STOP);
    for (int edition = 1; edition <= 2; edition++) {
        assert_int_equal(store_retry(a->store, RETRY_TRUNCATED, &r, &err), 0);
        assert_int_equal(r.truncated, 1);
        assert_int_equal(store_retry(a->store, RETRY_TRUNCATED, &r, &err), 0);
        assert_int_equal(r.truncated, 0); /* one is waiting already */
        struct plan_counts c = asker_plan(a, 0, 2, false);
        assert_int_equal(c.requests, 2);
        assert_int_equal(c.added, 0);
        assert_int_equal(c.answered, 1);
        int64_t request = only_todo(a);
        assert_int_equal(a->todos[0].edition, edition);
        assert_true(
            span_is(a->todos[0].messages, "[{\"content\":\"0\",\"role\":\"user\"}]"));
        asker_answer(a, request, edition == 1 ? "a longer st" : "a longer story",
                     edition == 1 ? FINISH_LENGTH : FINISH_STOP);
    }
    assert_int_equal(asker_plan(a, 0, 2, false).answered, 2);
    assert_int_equal(asker_count(a).requests, 4); /* the old answers stay */
    assert_int_equal(asker_count(a).answered, 4);

    struct cursor *cursor;
    const struct row *row;
    int newest = 0;
    assert_int_equal(cursor_open(a->store, NULL, &cursor, &err), 0);
    while (cursor_next(cursor, &row, &err) == 0 && row != NULL) {
        newest += row->edition;
        assert_true(span_is(row->content,
                            row->edition == 2 ? "\"a longer story\"" : "\"whole\""));
    }
    assert_int_equal(newest, 2);
    cursor_close(cursor);
    asker_close(a);
    free(path);
}

/* A plan that wants a higher edition of what is answered gets one, and no second one. */
static void test_refresh(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 2, false);
    asker_answer(a, 1, "old news", FINISH_STOP);
    for (int night = 0; night < 2; night++) {
        struct plan_counts c = {0};
        asker_begin(a);
        assert_int_equal(store_plan_start(a->store, false, &err), 0);
        for (uint64_t i = 0; i < 2; i++) {
            struct prompt prompt;
            struct plan_item item = asker_item(a, i, &prompt);
            item.edition = 3;
            assert_int_equal(store_plan(a->store, &item, &c, &err), 0);
        }
        asker_commit(a);
        assert_int_equal(c.added, night == 0 ? 1 : 0);
        assert_int_equal(c.todo, 2);
    }
    assert_int_equal(asker_take(a), 2);
    assert_int_equal(a->todos[0].edition, 0); /* never answered: there is nothing newer */
    assert_int_equal(a->todos[1].edition, 3);
    asker_close(a);
    free(path);
}

/* ---- kill, roll back ---- */

/* Runs `act` in a process that is killed at its end, with the store open. */
static void killed(const char *path, void (*act)(struct asker *a))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        act(asker_open(path));
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void act_in_flight(struct asker *a)
{
    struct err err = {0};
    asker_plan(a, 0, 8, false);
    asker_answer(a, 1, "safe", FINISH_STOP);
    asker_send(a, 2);
    asker_begin(a);
    int64_t attempt; /* one attempt for three requests */
    store_sent(a->store, a->run, 3, 2000, &attempt, &err);
    store_serves(a->store, attempt, 4, &err);
    store_serves(a->store, attempt, 5, &err);
    asker_commit(a);
    asker_begin(a); /* never committed */
    store_sent(a->store, a->run, 6, 2000, &attempt, &err);
}

static void test_killed(void **state)
{
    char *path = asker_path(state);
    killed(path, act_in_flight);
    struct asker *a = asker_open(path);
    struct store_counts c = asker_count(a);
    assert_int_equal(c.answered, 1);
    assert_int_equal(c.ambiguous, 4);
    assert_int_equal(c.planned, 3);
    assert_int_equal(c.in_flight, 0);
    assert_int_equal(c.attempts, 3);
    assert_sql(a->store,
               "SELECT group_concat(outcome || ' ' || reason) FROM"
               " (SELECT * FROM attempts WHERE id > 1 ORDER BY id)",
               "ambiguous killed,ambiguous killed");
    assert_int_equal(asker_plan(a, 0, 8, true).held, 4);
    struct plan_counts p = asker_plan(a, 0, 8, false);
    assert_int_equal(p.ambiguous, 4);
    assert_int_equal(p.todo, 7);
    assert_int_equal(asker_take(a), 7);
    assert_true(a->todos[0].was_ambiguous);
    assert_false(a->todos[4].was_ambiguous);
    assert_sql(a->store, "PRAGMA integrity_check", "ok");
    asker_close(a);
    a = asker_open(path); /* settled once */
    assert_int_equal(asker_count(a).attempts, 3);
    asker_close(a);
    free(path);
}

static void act_planning(struct asker *a)
{
    struct err err = {0};
    struct plan_counts c = {0};
    asker_begin(a);
    store_plan_start(a->store, false, &err);
    for (uint64_t i = 0; i < 3000; i++) {
        struct prompt prompt;
        struct plan_item item = asker_item(a, i, &prompt);
        store_plan(a->store, &item, &c, &err);
    }
}

static void test_killed_planning(void **state)
{
    char *path = asker_path(state);
    killed(path, act_planning);
    struct asker *a = asker_open(path);
    assert_int_equal(asker_count(a).requests, 0);
    assert_int_equal(asker_plan(a, 0, 3000, false).added, 3000);
    assert_sql(a->store, "PRAGMA integrity_check", "ok");
    asker_close(a);
    free(path);
}

static void test_rollback(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    asker_plan(a, 0, 3, false);
    int64_t attempt = asker_send(a, 1);
    struct attempt done = asker_attempt(a, 1, attempt, OUTCOME_AMBIGUOUS);
    done.model = SPAN_LITERAL("never seen before");
    done.usage.prompt = 100;
    asker_begin(a);
    assert_int_equal(store_settled(a->store, &done, NULL, NULL, 0, &err), 0);
    store_rollback(a->store);
    store_rollback(a->store); /* nothing to do */
    struct store_counts c = asker_count(a);
    assert_int_equal(c.in_flight, 1);
    assert_int_equal(c.attempts, 0);
    /* The same again: name and sums must not be those of the time that was undone. */
    asker_begin(a);
    assert_int_equal(store_settled(a->store, &done, NULL, NULL, 0, &err), 0);
    asker_commit(a);
    assert_int_equal(asker_count(a).attempts, 1);
    assert_int_equal(asker_count(a).prompt_tokens, 100);
    assert_sql(a->store, "SELECT model FROM attempts", "never seen before");
    asker_close(a);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plan),
        TEST(test_duplicates),
        TEST(test_long_prompt),
        TEST(test_labels),
        TEST(test_respelt),
        TEST(test_take_portions),
        TEST(test_states),
        TEST(test_unsent),
        TEST(test_retry),
        TEST(test_editions),
        TEST(test_refresh),
        TEST(test_killed),
        TEST(test_killed_planning),
        TEST(test_rollback),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
