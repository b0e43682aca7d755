/* SPDX-License-Identifier: MIT */
#include "harvest/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "store/overview.h"
#include "tests/unit/sample.h"
#include "tests/unit/scratch.h"

#define GOOD .outcome = OUTCOME_ANSWERED, .finish = FINISH_STOP

static const struct sample samples[] = {
    {.prompt = "Why?\nNow.",
     .id = "q1",
     .metadata = "{\"n\":1}",
     GOOD,
     .answer = "Because \\u00e9.\\nSo.",
     .positions = 2,
     .top = 2,
     .flags = FLAG_MODEL_MISMATCH | FLAG_ODD_LOGPROBS,
     .odd = true},
    {.prompt = "parts",
     .id = "q2",
     .answer = "x",
     GOOD,
     .messages =
         "[{\"content\":[{\"text\":\"a\",\"type\":\"text\"}],\"role\":\"user\"}]"},
    {.prompt = "bad",
     .id = "q3",
     .outcome = OUTCOME_FAILED,
     .reason = REASON_REQUEST,
     .note = "no such thing"},
    {.prompt = "lost", .id = "q4", .outcome = OUTCOME_AMBIGUOUS, .reason = REASON_CUT},
    {.prompt = "later", .id = "q5"},
    {.prompt = "cut",
     .id = "q6",
     .answer = "Cu",
     .outcome = OUTCOME_ANSWERED,
     .finish = FINISH_LENGTH},
};

struct place {
    void *top;
    struct store *store;
};

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    *state = place;
    if (scratch_make(&place->top) != 0)
        return -1;
    char *path = mem_format("%s/h.db", (char *)place->top);
    sample_store(path, samples, sizeof samples / sizeof samples[0]);
    place->store = sample_open(path);
    free(path);
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    store_close(place->store);
    int result = scratch_remove(&place->top);
    free(place);
    return result;
}

static void load(const struct place *place, const char *id, struct shown *shown)
{
    struct err err = {0};
    int64_t request;
    size_t n;
    *shown = (struct shown){0};
    assert_int_equal(store_find(place->store, span_of(id), &request, 1, &n, &err), 0);
    assert_int_equal(n, 1);
    if (shown_load(place->store, request, shown, &err) != 0)
        fail_msg("%s", err.what);
}

static char *text_of(const struct place *place, const char *id)
{
    struct shown shown;
    struct buf out;
    buf_init(&out, 1 << 20);
    load(place, id, &shown);
    shown_add_text(&out, &shown);
    shown_clear(&shown);
    return buf_take(&out);
}

static void expect_parts(const char *text, const char *const *parts)
{
    const char *at = text;
    for (; *parts != NULL; parts++) {
        const char *found = strstr(at, *parts);
        if (found == NULL)
            fail_msg("'%s' does not come next in:\n%s", *parts, text);
        at = found + strlen(*parts);
    }
}

static void test_answered(void **state)
{
    char *text = text_of(*state, "q1");
    static const char *const parts[] = {
        "key         ",
        "\nprompt      q1\n",
        "teacher     smol, served by smol-served (openai-chat)\n",
        "sample      0\n",
        "state       answered, finish reason stop\n",
        "flags       ",
        "tokens      20 in (5 cached), 10 out\n",
        "form        {\"max_tokens\":9}\n",
        "metadata    {\"n\":1}\n",
        "\nsystem, of the run\n  Be brief.\n",
        "\nuser\n  Why?\n  Now.\n",
        "\nanswer\n  Because \xc3\xa9.\n  So.\n",
        "\nattempts\n  1  1970-01-20 16:13:20 UTC     1.5 s  answered, HTTP 200\n",
        "\nlog-probabilities of the content\n",
        "token                         id    chance   logprob  alternatives\n",
        "    0  \"t0.0\"                         0 90.4837 %   -0.1000  \"t0.1\" 24.66 "
        "%, "
        "\"t0.2\" 6.72 %\n",
        "    1  \"t1.0\"                       100 62.5002 %   -0.4700  \"t1.1\" 17.03 "
        "%, "
        "\"t1.2\"\n",
        NULL,
    };
    expect_parts(text, parts);
    free(text);
}

static void test_others(void **state)
{
    static const struct {
        const char *id;
        const char *parts[4];
    } rows[] = {
        {"q2", {"\nuser\n  {\"content\":[{\"text\":\"a\"", "\nanswer\n  x\n", NULL}},
        {"q3",
         {"state       failed\n", "failed, request, HTTP 400: no such thing\n", NULL}},
        {"q4", {"state       ambiguous\n", "1.5 s  ambiguous, cut\n", NULL}},
        {"q5", {"state       planned\n", "\nuser\n  later\n", NULL}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = text_of(*state, rows[i].id);
        expect_parts(text, rows[i].parts);
        free(text);
    }
}

static json_t *json_of(const struct place *place, const char *id)
{
    struct shown shown;
    struct buf out;
    buf_init(&out, 1 << 20);
    load(place, id, &shown);
    shown_add_json(&out, &shown);
    shown_clear(&shown);
    assert_ptr_equal(strchr(out.p, '\n'), out.p + out.n - 1); /* one line */
    json_t *value = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    buf_clear(&out);
    return value;
}

static void test_json(void **state)
{
    json_t *value = json_of(*state, "q1"), *list, *first, *last;
    const char *what, *content, *served, *role;
    int v, id, status;
    assert_int_equal(json_unpack(value, "{s:s,s:i,s:s,s:s,s:[{s:s}],s:[{s:i}],s:{s:o}}",
                                 "type", &what, "v", &v, "content", &content,
                                 "model_served", &served, "messages", "role", &role,
                                 "attempts", "status", &status, "logprobs", "content",
                                 &list),
                     0);
    assert_string_equal(what, "request");
    assert_int_equal(v, 1);
    assert_string_equal(content, "Because \xc3\xa9.\nSo.");
    assert_string_equal(served, "smol-served");
    assert_string_equal(role, "user");
    assert_int_equal(status, 200);
    assert_int_equal(json_array_size(list), 2);
    first = json_array_get(list, 0);
    assert_true(json_real_value(json_object_get(first, "logprob")) ==
                sample_logprob(0, 0));
    last = json_array_get(json_object_get(json_array_get(list, 1), "top_logprobs"), 1);
    assert_int_equal(json_unpack(last, "{s:i,s:n}", "id", &id, "logprob"), 0);
    assert_int_equal(id, 102);
    json_decref(value);
    for (size_t i = 1; i < sizeof samples / sizeof samples[0]; i++)
        json_decref(json_of(*state, samples[i].id));
}

static void test_overview(void **state)
{
    struct place *place = *state;
    struct err err = {0};
    struct teacher_row teachers[1];
    struct run_row last;
    struct store_concerns concerns;
    size_t n;
    assert_int_equal(store_teachers(place->store, teachers, 1, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(teachers[0].identity, "smol");
    assert_string_equal(teachers[0].name, "127.0.0.1:8080");
    assert_int_equal(store_teachers(place->store, NULL, 0, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(store_last_run(place->store, &last, &err), 0);
    assert_string_equal(last.command, "harvest run sample.txt");
    assert_int_equal(last.ended_ms - last.started_ms, 5000);
    assert_int_equal(store_concern(place->store, &concerns, &err), 0);
    assert_int_equal(concerns.doubts, 1);
    assert_int_equal(concerns.truncated, 1);
    char text[16];
    assert_int_equal(store_state(place->store, 999, text, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overview, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
