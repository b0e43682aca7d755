/* SPDX-License-Identifier: MIT */
/* The names are stored in views and typed by users: they must not change by accident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/record.h"

static void test_names(void **state)
{
    (void)state;
    static const char *const finishes[] = {
        "none", "stop", "length", "tool_calls", "content_filter", "other", "?"};
    static const char *const outcomes[] = {"none",   "answered", "unsent",
                                           "later",  "retry",    "ambiguous",
                                           "failed", "hold",     "?"};
    static const char *const reasons[] = {
        "none",      "credential", "credit",   "model",  "request",   "too_long",
        "filtered",  "rate",       "overload", "server", "shape",     "not_json",
        "redirect",  "connect",    "timeout",  "cut",    "too_large", "killed",
        "cancelled", "config",     "?"};
    static const char *const kinds[] = {"?",     "chat",  "completion", "score",
                                        "label", "embed", "?"};
    static const char *const tracks[] = {"content", "reasoning", "refusal", "prompt",
                                         "?"};
    for (unsigned i = 0; i < sizeof finishes / sizeof finishes[0]; i++)
        assert_string_equal(finish_name(i), finishes[i]);
    for (unsigned i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        assert_string_equal(outcome_name(i), outcomes[i]);
    for (unsigned i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        assert_string_equal(reason_name(i), reasons[i]);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        assert_string_equal(kind_name(i), kinds[i]);
    for (unsigned i = 0; i < sizeof tracks / sizeof tracks[0]; i++)
        assert_string_equal(track_title(i), tracks[i]);
}

static void test_flags(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        const char *text;
    } cases[] = {
        {0, ""},
        {FLAG_REFUSAL, "refusal"},
        {FLAG_EMPTY | FLAG_NO_FINISH, "empty,no_finish"},
        {FLAG_SHORT_LOGPROBS | FLAG_MODEL_MISMATCH, "model_mismatch,short_logprobs"},
        {(1 << 10) - 1,
         "refusal,empty,no_finish,model_mismatch,no_logprobs,short_logprobs,"
         "body_whole,odd_logprobs,repaired,answer_in_reasoning"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text;
        buf_init(&text, 1000);
        flags_add(&text, cases[i].flags);
        assert_string_equal(buf_view(&text).p, cases[i].text);
        buf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_flags),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
