/* SPDX-License-Identifier: MIT */
#include "export/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "export/literal.h"

/* ---- literals ---- */

static void test_literal(void **state)
{
    (void)state;
    static const struct {
        const char *inside, *expected; /* NULL: malformed */
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"a\\nb \\\"q\\\" \\\\ \\t\\r\\b\\f", "a\\nb \\\"q\\\" \\\\ \\t\\r\\b\\f"},
        {"na\\u00efve", "na\xc3\xafve"},
        {"a\\/b", "a/b"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"cut \\ud83d", "cut \xef\xbf\xbd"},
        {"\\ude00 back", "\xef\xbf\xbd back"},
        {"\\ud83dx", "\xef\xbf\xbdx"},
        {"bell \\u0007", "bell \\u0007"},
        {"\\u001B", "\\u001B"},
        {"\\u001b", "\\u001B"},
        {"\\u0000", "\\u0000"},
        {"\\u000a", "\\n"},
        {"\\u0022", "\\\""},
        {"\\u00", NULL},
        {"\\x", NULL},
        {"\\", NULL},
        {"\"", NULL},
        {"raw\nline", NULL},
        {"\xff", NULL},
        {"\xc3", NULL},
        {"\xed\xa0\x80", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        buf_init(&out, 1000);
        buf_text(&out, ">");
        bool good = literal_splice(&out, span_of(rows[i].inside));
        assert_int_equal(good, rows[i].expected != NULL);
        assert_string_equal(out.p + 1, good ? rows[i].expected : "");
        buf_clear(&out);
    }
}

/* ---- conversations ---- */

struct conversation_case {
    const char *what;
    const char *system, *messages, *content, *reasoning, *refusal, *tool_calls;
    const char *expected; /* NULL: does not fit */
};

#define HI     "[{\"content\":\"hi\",\"role\":\"user\"}]"
#define HI_OUT "[{\"role\":\"user\",\"content\":\"hi\"},"

static const struct conversation_case cases[] = {
    {"plain", NULL, HI, "\"hello\"", NULL, NULL, NULL,
     HI_OUT "{\"role\":\"assistant\",\"content\":\"hello\"}]"},
    {"system prompt", "Be \"brief\".", HI, "\"x\"", NULL, NULL, NULL,
     "[{\"role\":\"system\",\"content\":\"Be \\\"brief\\\".\"},{\"role\":\"user\","
     "\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"x\"}]"},
    {"several turns, escapes", NULL,
     "[{\"content\":\"a\\n\\\"\\\\\",\"role\":\"system\"},{\"content\":\"\",\"role\":"
     "\"user\"},{\"content\":\"c\",\"role\":\"assistant\"}]",
     "\"x\"", NULL, NULL, NULL,
     "[{\"role\":\"system\",\"content\":\"a\\n\\\"\\\\\"},{\"role\":\"user\",\"content\":"
     "\"\"},{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":\"assistant\","
     "\"content\":\"x\"}]"},
    {"members in another order", NULL, "[{\"role\":\"user\", \"content\":\"hi\"}]",
     "\"x\"", NULL, NULL, NULL, HI_OUT "{\"role\":\"assistant\",\"content\":\"x\"}]"},
    {"answer is spelt anew", NULL, HI, "\"\\u00e9\\ud800\"", NULL, NULL, NULL,
     HI_OUT "{\"role\":\"assistant\",\"content\":\"\xc3\xa9\xef\xbf\xbd\"}]"},
    {"reasoning", NULL, HI, "\"42\"", "\"6\\u00d77\"", NULL, NULL,
     HI_OUT "{\"role\":\"assistant\",\"content\":\"<think>\\n6\xc3\x97"
            "7\\n</think>\\n\\n42\"}]"},
    {"empty reasoning", NULL, HI, "\"42\"", "\"\"", NULL, NULL,
     HI_OUT "{\"role\":\"assistant\",\"content\":\"42\"}]"},
    {"refusal", NULL, HI, NULL, NULL, "\"I cannot\"", NULL,
     HI_OUT "{\"role\":\"assistant\",\"content\":\"I cannot\"}]"},
    {"nothing", NULL, HI, NULL, NULL, NULL, NULL,
     HI_OUT "{\"role\":\"assistant\",\"content\":\"\"}]"},
    {"text parts", NULL,
     "[{\"content\":[{\"text\":\"a\",\"type\":\"text\"},{\"text\":\"b\",\"type\":"
     "\"text\"}],"
     "\"role\":\"user\"}]",
     "\"x\"", NULL, NULL, NULL,
     "[{\"role\":\"user\",\"content\":\"a\\nb\"},{\"role\":\"assistant\",\"content\":"
     "\"x\"}]"},
    {"null content, empty members", NULL,
     "[{\"content\":null,\"name\":\"\",\"role\":\"user\",\"tool_calls\":[]}]", "\"x\"",
     NULL, NULL, NULL,
     "[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"assistant\",\"content\":\"x\"}]"},
    {"empty tool calls", NULL, HI, "\"x\"", NULL, NULL, "[]",
     HI_OUT "{\"role\":\"assistant\",\"content\":\"x\"}]"},
    {"tool call", NULL, HI, "\"\"", NULL, NULL, "[{\"id\":\"1\"}]", NULL},
    {"content is a list", NULL, HI, "[1]", NULL, NULL, NULL, NULL},
    {"image part", NULL,
     "[{\"content\":[{\"image_url\":{},\"type\":\"image_url\"}],\"role\":\"user\"}]",
     "\"x\"", NULL, NULL, NULL, NULL},
    {"content is a number", NULL, "[{\"content\":1,\"role\":\"user\"}]", "\"x\"", NULL,
     NULL, NULL, NULL},
    {"name", NULL, "[{\"content\":\"hi\",\"name\":\"ann\",\"role\":\"user\"}]", "\"x\"",
     NULL, NULL, NULL, NULL},
    {"role is missing", NULL, "[{\"content\":\"hi\"}]", "\"x\"", NULL, NULL, NULL, NULL},
    {"message is no object", NULL, "[{\"content\":\"hi\",\"role\":\"user\"},7]", "\"x\"",
     NULL, NULL, NULL, NULL},
    {"messages are no list", NULL, "{}", "\"x\"", NULL, NULL, NULL, NULL},
};

static struct row make_row(const struct conversation_case *given)
{
    return (struct row){
        .kind = KIND_CHAT,
        .system = span_of(given->system),
        .messages = span_of(given->messages),
        .content = span_of(given->content),
        .reasoning = span_of(given->reasoning),
        .refusal = span_of(given->refusal),
        .tool_calls = span_of(given->tool_calls),
    };
}

static void test_conversation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct row row = make_row(&cases[i]);
        struct buf out;
        struct err err = {0};
        bool fits = true;
        buf_init(&out, 1000);
        assert_int_equal(conversation_add(&out, &row, &fits, &err), 0);
        if (fits != (cases[i].expected != NULL))
            fail_msg("%s: fits is %d", cases[i].what, fits);
        if (fits) {
            assert_string_equal(out.p, cases[i].expected);
            json_t *parsed = json_loadb(out.p, out.n, 0, NULL);
            assert_non_null(parsed);
            json_decref(parsed);
        }
        buf_clear(&out);
    }
}

static void test_damage(void **state)
{
    (void)state;
    static const struct conversation_case damaged[] = {
        {.messages = "[{\"content\":\"hi", .content = "\"x\""},
        {.messages = "[{\"content\":\"hi\\", .content = "\"x\""},
        {.messages = "", .content = "\"x\""},
        {.messages = HI, .content = "\"\\u12\""},
        {.messages = HI, .content = "\"\xff\""},
        {.messages = HI, .content = "\"x\"", .reasoning = "\"\\q\""},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct row row = make_row(&damaged[i]);
        struct buf out;
        struct err err = {0};
        bool fits = true;
        buf_init(&out, 1000);
        assert_int_equal(conversation_add(&out, &row, &fits, &err), -1);
        assert_int_equal(err.code, ERR_DAMAGED);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal),
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_damage),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("conversation", tests, NULL, NULL);
}
