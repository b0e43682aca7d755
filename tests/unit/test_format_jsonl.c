/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "export/export.h"

#define KEY  "0011223344556677889900aabbccddeeff00112233445566778899aabbccddee"
#define HASH "fedcba9876543210aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct row make_row(void)
{
    struct row row = {
        .prompt_id = SPAN_LITERAL("q7"),
        .teacher = SPAN_LITERAL("smol"),
        .finish = FINISH_STOP,
        .kind = KIND_CHAT,
    };
    assert_int_equal(hex_decode(SPAN_LITERAL(KEY), row.key, SHA256_BYTES), 0);
    assert_int_equal(hex_decode(SPAN_LITERAL(HASH), row.prompt_hash, SHA256_BYTES), 0);
    return row;
}

/* Every line is checked to be one JSON object with the columns in their order. */
static void expect_line(const struct export_row *row, const char *expected)
{
    struct err err = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    if (format_find("jsonl")->row(row, &out, &err) != 0)
        fail_msg("%s", err.what);
    assert_string_equal(out.p, expected);
    json_t *parsed = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    size_t n, at = 0;
    const struct column *columns = export_columns(&n);
    const char *name;
    json_t *value;
    json_object_foreach(parsed, name, value)
    {
        assert_true(at < n);
        assert_string_equal(name, columns[at++].name);
    }
    assert_int_equal(at, row->track == NULL ? 7 : n);
    assert_ptr_equal(strchr(out.p, '\n'), out.p + out.n - 1);
    json_decref(parsed);
    buf_clear(&out);
}

static void test_plain(void **state)
{
    (void)state;
    struct row row = make_row();
    const struct export_row out = {&row, SPAN_LITERAL("[\"M\"]"), NULL};
    expect_line(&out,
                "{\"key\":\"" KEY "\",\"prompt_id\":\"q7\",\"sample\":0,\"teacher\":"
                "\"smol\",\"finish_reason\":\"stop\",\"metadata\":\"{}\","
                "\"messages\":[\"M\"]}\n");
    row.prompt_id = (struct span){NULL, 0};
    row.metadata = SPAN_LITERAL("{\"a\":\"\xc3\xa9\"}");
    row.sample = 12;
    row.finish = FINISH_NONE;
    row.teacher = SPAN_LITERAL("a \"b\"");
    expect_line(&out,
                "{\"key\":\"" KEY "\",\"prompt_id\":\"fedcba9876543210\","
                "\"sample\":12,\"teacher\":\"a \\\"b\\\"\",\"finish_reason\":\"none\","
                "\"metadata\":\"{\\\"a\\\":\\\"\xc3\xa9\\\"}\",\"messages\":"
                "[\"M\"]}\n");
}

#define HEAD                                                                             \
    "{\"key\":\"" KEY "\",\"prompt_id\":\"q7\",\"sample\":0,\"teacher\":\"smol\","       \
    "\"finish_reason\":\"stop\",\"metadata\":\"{}\",\"messages\":[]"

static void test_track(void **state)
{
    (void)state;
    struct row row = make_row();
    struct logprob entries[] = {
        {SPAN_LITERAL("Ra\\\"in"), SPAN_LITERAL("[82,97,34,105,110]"), 36951,
         -1.4832546710968018},
        {SPAN_LITERAL("Ra\\\"in"), SPAN_LITERAL("[82,97,34,105,110]"), 36951,
         -1.4832546710968018},
        {SPAN_LITERAL("\xef\xbf\xbd"), SPAN_LITERAL("[140]"), 218, -2},
        {SPAN_LITERAL("\\u00e9"), SPAN_LITERAL("null"), -1, LOGPROB_FLOOR},
        {SPAN_LITERAL(""), {NULL, 0}, 0, -0.0},
        {SPAN_LITERAL(""), SPAN_LITERAL("[]"), 2, -1e-7},
    };
    uint32_t first[] = {0, 3, 4, 6};
    const struct track track = {.entries = entries, .first = first, .positions = 3};
    const struct export_row out = {&row, SPAN_LITERAL("[]"), &track};
    expect_line(&out,
                HEAD ",\"tokens\":[\"Ra\\\"in\",\"\xc3\xa9\",\"\"],"
                     "\"token_ids\":[36951,-1,0],"
                     "\"token_bytes\":[\"526122696e\",\"\",\"\"],"
                     "\"token_logprobs\":[-1.4832546710968018,-9999.0,-0.0],"
                     "\"top_tokens\":[[\"Ra\\\"in\",\"\xef\xbf\xbd\"],[\"\xc3\xa9\"],"
                     "[\"\"]],"
                     "\"top_token_ids\":[[36951,218],[-1],[2]],"
                     "\"top_token_bytes\":[[\"526122696e\",\"8c\"],[\"\"],[\"\"]],"
                     "\"top_logprobs\":[[-1.4832546710968018,-2.0],[-9999.0],"
                     "[-1e-07]],"
                     "\"logprobs_complete\":true}\n");
    row.flags = FLAG_SHORT_LOGPROBS;
    const struct track one = {.entries = entries, .first = first + 1, .positions = 1};
    const struct export_row short_one = {&row, SPAN_LITERAL("[]"), &one};
    expect_line(&short_one,
                HEAD ",\"tokens\":[\"\xc3\xa9\"],\"token_ids\":[-1],"
                     "\"token_bytes\":[\"\"],\"token_logprobs\":[-9999.0],"
                     "\"top_tokens\":[[\"\xc3\xa9\"]],\"top_token_ids\":[[-1]],"
                     "\"top_token_bytes\":[[\"\"]],"
                     "\"top_logprobs\":[[-9999.0]],"
                     "\"logprobs_complete\":false}\n");
}

/* Tokens and their bytes, as servers name them. */
static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        struct logprob entry;
        const char *text, *bytes;
    } rows[] = {
        {{SPAN_LITERAL("token_id:230"), SPAN_LITERAL("[240,159,145,140]"), 230, -1},
         "\xf0\x9f\x91\x8c",
         "f09f918c"},
        {{SPAN_LITERAL("token_id:230"), SPAN_LITERAL("[]"), 230, -1}, "", ""},
        {{SPAN_LITERAL("token_id:230"), SPAN_LITERAL("[140]"), 230, -1}, "", "8c"},
        {{SPAN_LITERAL("token_id:7"),
          SPAN_LITERAL("[116,111,107,101,110,95,105,100,58,55]"), 7, -1},
         "",
         ""},
        {{SPAN_LITERAL("token_id:230"), SPAN_LITERAL("null"), 230, -1}, "", ""},
        {{SPAN_LITERAL("token_id:230"), SPAN_LITERAL("[65]"), 231, -1},
         "token_id:230",
         "41"},
        {{SPAN_LITERAL("token_id:230"), SPAN_LITERAL("[65]"), -1, -1},
         "token_id:230",
         "41"},
        {{SPAN_LITERAL("token_id:"), SPAN_LITERAL("[ 65 , 66 ]"), 0, -1},
         "token_id:",
         "4142"},
        {{SPAN_LITERAL("a"), SPAN_LITERAL("[256]"), 0, -1}, "a", ""},
        {{SPAN_LITERAL("a"), SPAN_LITERAL("[1,-2]"), 0, -1}, "a", ""},
        {{SPAN_LITERAL("a"), SPAN_LITERAL("[1.5]"), 0, -1}, "a", ""},
        {{SPAN_LITERAL("a"), SPAN_LITERAL("\"a\""), 0, -1}, "a", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row row = make_row();
        struct logprob entry = rows[i].entry;
        uint32_t first[] = {0, 1};
        const struct track track = {.entries = &entry, .first = first, .positions = 1};
        const struct export_row out = {&row, SPAN_LITERAL("[]"), &track};
        struct err err = {0};
        struct buf line;
        buf_init(&line, 10000);
        assert_int_equal(format_find("jsonl")->row(&out, &line, &err), 0);
        json_t *parsed = json_loadb(line.p, line.n, 0, NULL);
        const char *text, *bytes;
        assert_int_equal(
            json_unpack(parsed, "{s:[s],s:[s]}", "tokens", &text, "token_bytes", &bytes),
            0);
        assert_string_equal(text, rows[i].text);
        assert_string_equal(bytes, rows[i].bytes);
        json_decref(parsed);
        buf_clear(&line);
    }
}

static void test_damaged_token(void **state)
{
    (void)state;
    struct row row = make_row();
    struct logprob entry = {SPAN_LITERAL("\\u12"), {NULL, 0}, -1, -1};
    uint32_t first[] = {0, 1};
    const struct track track = {.entries = &entry, .first = first, .positions = 1};
    const struct export_row out = {&row, SPAN_LITERAL("[]"), &track};
    struct err err = {0};
    struct buf line;
    buf_init(&line, 10000);
    assert_int_equal(format_find("jsonl")->row(&out, &line, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    buf_clear(&line);
}

static void test_registry(void **state)
{
    (void)state;
    assert_null(format_find("parquest"));
    for (const struct format *const *format = format_all(); *format != NULL; format++)
        assert_ptr_equal(format_find((*format)->name), *format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),    cmocka_unit_test(test_track),
        cmocka_unit_test(test_tokens),   cmocka_unit_test(test_damaged_token),
        cmocka_unit_test(test_registry),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("format_jsonl", tests, NULL, NULL);
}
