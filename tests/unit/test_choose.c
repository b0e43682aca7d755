/* SPDX-License-Identifier: MIT */
#include "export/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static void test_answer(void **state)
{
    (void)state;
    static const struct {
        enum finish finish;
        unsigned flags;
        enum choice expected;
    } rows[] = {
        {FINISH_STOP, 0, CHOICE_TAKE},
        {FINISH_NONE, FLAG_NO_FINISH | FLAG_MODEL_MISMATCH | FLAG_SHORT_LOGPROBS,
         CHOICE_TAKE},
        {FINISH_TOOL_CALLS, 0, CHOICE_TAKE},
        {FINISH_OTHER, FLAG_REPAIRED, CHOICE_TAKE},
        {FINISH_LENGTH, 0, CHOICE_TRUNCATED},
        {FINISH_LENGTH, FLAG_REFUSAL | FLAG_EMPTY, CHOICE_TRUNCATED},
        {FINISH_STOP, FLAG_REFUSAL | FLAG_EMPTY, CHOICE_REFUSED},
        {FINISH_CONTENT_FILTER, 0, CHOICE_REFUSED},
        {FINISH_STOP, FLAG_EMPTY, CHOICE_EMPTY},
        {FINISH_STOP, FLAG_ANSWER_IN_REASONING, CHOICE_EMPTY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row row = {.finish = rows[i].finish, .flags = rows[i].flags};
        assert_int_equal(choose_answer(&row), rows[i].expected);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < CHOICES; i++) {
        assert_non_null(choice_name(i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(choice_name(i), choice_name(j));
    }
}

static bool add(struct seen *seen, const char *text)
{
    struct err err = {0};
    bool again = false;
    assert_int_equal(seen_add(seen, span_of(text), &again, &err), 0);
    return again;
}

static void test_seen(void **state)
{
    struct err err = {0};
    struct seen *seen;
    assert_int_equal(seen_open(*state, 2, &seen, &err), 0);
    char *names = scratch_names(*state);
    assert_string_equal(names, ""); /* its file has no name */
    free(names);
    assert_false(add(seen, "a"));
    assert_false(add(seen, "b"));
    assert_false(add(seen, "aa"));
    assert_true(add(seen, "a"));
    assert_true(add(seen, "aa"));
    assert_false(add(seen, "A"));
    seen_close(seen);
    seen_close(NULL);
}

/* More than it was told of, so that buckets run over into others. */
static void test_seen_many(void **state)
{
    struct err err = {0};
    struct seen *seen;
    enum { MANY = 1000 };
    char text[32];
    assert_int_equal(seen_open(*state, 0, &seen, &err), 0);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            snprintf(text, sizeof text, "text %d", i);
            assert_int_equal(add(seen, text), round == 1);
        }
    bool again;
    int i = MANY;
    do
        snprintf(text, sizeof text, "text %d", i++);
    while (i < 3000 && seen_add(seen, span_of(text), &again, &err) == 0);
    assert_int_equal(i, 1024 + 1); /* all places of sixteen buckets are taken */
    assert_int_equal(err.code, ERR_INTERNAL);
    seen_close(seen);
}

static void test_seen_error(void **state)
{
    struct err err = {0};
    struct seen *seen = NULL;
    char *missing = mem_format("%s/missing", (char *)*state);
    assert_int_equal(seen_open(missing, 1, &seen, &err), -1);
    assert_int_equal(err.code, ERR_STORAGE);
    assert_null(seen);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_seen, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_seen_many, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_seen_error, scratch_make, scratch_remove),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("choose", tests, NULL, NULL);
}
