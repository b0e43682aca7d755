/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/teacher/script.h"

static int parse(const char *text, struct arena *arena, struct script *script,
                 struct err *err)
{
    return script_parse(span_of(text), "s.script", arena, script, err);
}

static const struct step *only_step(const char *text, struct arena *arena)
{
    struct script script;
    struct err err = {0};
    if (parse(text, arena, &script, &err) != 0)
        fail_msg("'%s': %s (%s)", text, err.what, err.where);
    assert_int_equal(script.n, 1);
    return script_step(&script, 0);
}

/* Which line a request meets; 0 is the default. */
static void which(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        uint64_t request;
        unsigned line;
    } cases[] = {
        {"", 1, 0},
        {"1 200", 1, 1},
        {"1 200", 2, 0},
        {"2-4 200", 1, 0},
        {"2-4 200", 2, 1},
        {"2-4 200", 4, 1},
        {"2-4 200", 5, 0},
        {"3- 200", 2, 0},
        {"3- 200", 1000000000000, 1},
        {"1,4-5,9- 200", 1, 1},
        {"1,4-5,9- 200", 2, 0},
        {"1,4-5,9- 200", 5, 1},
        {"1,4-5,9- 200", 8, 0},
        {"1,4-5,9- 200", 9, 1},
        {"every 7 503", 6, 0},
        {"every 7 503", 7, 1},
        {"every 7 503", 14, 1},
        {"every 1 503", 1, 1},
        {"* 200", 77, 1},
        {"\n# nothing\n  \t\n5 429 # this one\n* 200", 5, 4},
        {"\n# nothing\n  \t\n5 429 # this one\n* 200", 6, 5},
        {"2 429\n1-3 500\n2 501", 2, 1},
        {"2 429\r\n1-3 500\r\n", 3, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct script script;
        struct err err = {0};
        if (parse(cases[i].script, &arena, &script, &err) != 0)
            fail_msg("'%s': %s", cases[i].script, err.what);
        unsigned line = script_find(&script, cases[i].request)->line;
        if (line != cases[i].line)
            fail_msg("'%s': request %ju meets line %u", cases[i].script,
                     (uintmax_t)cases[i].request, line);
        arena_clear(&arena);
    }
}

static void default_is_an_answer(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct script script;
    struct err err = {0};
    assert_int_equal(parse("2 500", &arena, &script, &err), 0);
    const struct step *step = script_find(&script, 1);
    assert_int_equal(step->kind, STEP_REPLY);
    assert_int_equal(step->status, 200);
    assert_int_equal(step->retry_after_ms, -1);
    arena_clear(&arena);
}

static void what(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        struct step step;
    } cases[] = {
        {"1 429", {.kind = STEP_REPLY, .status = 429}},
        {"1 drip 7", {.kind = STEP_DRIP, .status = 200, .amount = 7, .every_ms = 10}},
        {"1 drip 7 every=20ms",
         {.kind = STEP_DRIP, .status = 200, .amount = 7, .every_ms = 20}},
        {"1 cut 120 delay=1.5s",
         {.kind = STEP_CUT, .status = 200, .amount = 120, .delay_ms = 1500}},
        {"1 cut 0", {.kind = STEP_CUT, .status = 200}},
        {"1 bomb 1G gzip",
         {.kind = STEP_BOMB, .status = 200, .amount = 1 << 30, .gzip = true}},
        {"1 reset after=100", {.kind = STEP_RESET, .status = 200, .after = 100}},
        {"1 close", {.kind = STEP_CLOSE, .status = 200}},
        {"1 hang after=1K", {.kind = STEP_HANG, .status = 200, .after = 1024}},
        {"1 kill delay=2m", {.kind = STEP_KILL, .status = 200, .delay_ms = 120000}},
        {"1 refuse", {.kind = STEP_REFUSE, .status = 200}},
        {"1 204 chunked closing",
         {.kind = STEP_REPLY, .status = 204, .chunked = true, .closing = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        const struct step *got = only_step(cases[i].script, &arena);
        const struct step *want = &cases[i].step;
        if (got->kind != want->kind || got->status != want->status ||
            got->amount != want->amount || got->after != want->after ||
            got->every_ms != want->every_ms || got->delay_ms != want->delay_ms ||
            got->chunked != want->chunked || got->gzip != want->gzip ||
            got->closing != want->closing)
            fail_msg("'%s' is read as something else", cases[i].script);
        arena_clear(&arena);
    }
}

static void texts(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct step *step = only_step("1 429 retry-after=2 message=\"slow  down # "
                                        "please\" header=\"X-A: b c\" header=D:e",
                                        &arena);
    assert_true(span_is(step->retry_after, "2"));
    assert_int_equal(step->retry_after_ms, 2000);
    assert_true(span_is(step->message, "slow  down # please"));
    assert_int_equal(step->n_headers, 2);
    assert_true(span_is(step->headers[0], "X-A: b c"));
    assert_true(span_is(step->headers[1], "D:e"));
    step = only_step("1 503 retry-after=\"Fri, 31 Dec 2027 23:59:59 GMT\"", &arena);
    assert_int_equal(step->retry_after_ms, -1);
    assert_true(span_is(step->retry_after, "Fri, 31 Dec 2027 23:59:59 GMT"));
    step = only_step("1 307 location=http://127.0.0.1:1/v1?a=b", &arena);
    assert_true(span_is(step->location, "http://127.0.0.1:1/v1?a=b"));
    assert_null(step->message.p);
    step = only_step("1 200 body=answer.json", &arena);
    assert_true(span_is(step->body, "answer.json"));
    arena_clear(&arena);
}

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *script, *what, *where, *fix;
    } cases[] = {
        {"0 200", "'0' is no list of requests", "s.script:1", ""},
        {"3-2 200", "'3-2' is no list of requests", "s.script:1", ""},
        {"1, 200", "'1,' is no list of requests", "s.script:1", ""},
        {"1,,2 200", "'1,,2' is no list of requests", "s.script:1", ""},
        {"1x 200", "'1x' is no list of requests", "s.script:1", ""},
        {"99999999999999999999 200", "'99999999999999999999' is no list of requests",
         "s.script:1", ""},
        {"every 0 200", "'0' is no number of requests", "s.script:1", ""},
        {"every", "number of requests is missing", "s.script:1", ""},
        {"1", "status or step is missing", "s.script:1", ""},
        {"# a\n\n1 199", "'199' is no status", "s.script:3", ""},
        {"1 1000", "'1000' is no status", "s.script:1", ""},
        {"1 resett", "'resett' is no status or step", "s.script:1",
         "did you mean 'reset'?"},
        {"1 drip", "number of bytes is missing", "s.script:1", ""},
        {"1 drip 0", "'0' is no number of bytes", "s.script:1", ""},
        {"1 cut x", "'x' is no number of bytes", "s.script:1", ""},
        {"1 200 dealy=1s", "'dealy' is no known word here", "s.script:1",
         "did you mean 'delay'?"},
        {"1 200 delay", "'delay' is no value it can have", "s.script:1", ""},
        {"1 200 delay=soon", "'delay=soon' is no value it can have", "s.script:1", ""},
        {"1 200 delay=", "'delay=' is no value it can have", "s.script:1", ""},
        {"1 200 chunked=1", "'chunked=1' is no value it can have", "s.script:1", ""},
        {"1 200 header=nocolon", "'header=nocolon' is no value it can have", "s.script:1",
         ""},
        {"1 200 header=\"A: b", "'header=\"A: b' is no well quoted word", "s.script:1",
         ""},
        {"1 200 header=\"A: b\"c", "'header=\"A: b\"c' is no well quoted word",
         "s.script:1", ""},
        {"1 200 every=1s", "'every' does not go with this step", "s.script:1", ""},
        {"1 bomb 1K body=x", "'body' does not go with this step", "s.script:1", ""},
        {"1 refuse delay=1s", "'delay' does not go with this step", "s.script:1", ""},
        {"1 200 message=hm", "'message' goes into the body of an error", "s.script:1",
         ""},
        {"1 200 header=a:b header=a:b header=a:b header=a:b header=a:b header=a:b "
         "header=a:b header=a:b header=c:d",
         "'header=c:d' is no value it can have", "s.script:1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct script script;
        struct err err = {0};
        if (parse(cases[i].script, &arena, &script, &err) != -1)
            fail_msg("'%s' is taken", cases[i].script);
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.what, cases[i].what);
        assert_string_equal(err.where, cases[i].where);
        assert_string_equal(err.fix, cases[i].fix);
        arena_clear(&arena);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(which),    cmocka_unit_test(default_is_an_answer),
        cmocka_unit_test(what),     cmocka_unit_test(texts),
        cmocka_unit_test(mistakes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
