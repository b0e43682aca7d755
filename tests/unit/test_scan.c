/* SPDX-License-Identifier: MIT */
/* scan against jansson: what it accepts, and that what is pulled out is what a tree holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/scan.h"
#include "tests/unit/captured.h"

enum { LOAD = JSON_DECODE_ANY | JSON_ALLOW_NUL };

/* ---- both on one text ---- */

static json_t *rebuild(struct scan *scan);

static json_t *rebuild_string(struct span literal)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    assert_true(json_unquote(&text, literal));
    json_t *value = json_stringn(buf_view(&text).p, text.n);
    buf_clear(&text);
    return value;
}

static json_t *rebuild_object(struct scan *scan)
{
    struct span key;
    json_t *object = json_object();
    assert_true(scan_object(scan));
    while (scan_key(scan, &key)) {
        json_t *name = rebuild_string(key);
        json_object_set_new(object, json_string_value(name), rebuild(scan));
        json_decref(name);
    }
    return object;
}

static json_t *rebuild_array(struct scan *scan)
{
    json_t *array = json_array();
    assert_true(scan_array(scan));
    while (scan_item(scan))
        json_array_append_new(array, rebuild(scan));
    return array;
}

/* The tree of the next value, pulled out piece by piece. */
static json_t *rebuild(struct scan *scan)
{
    struct span raw;
    enum scan_type type = scan_next(scan);
    if (type == SCAN_OBJECT)
        return rebuild_object(scan);
    if (type == SCAN_ARRAY)
        return rebuild_array(scan);
    if (type == SCAN_STRING) {
        assert_true(scan_string(scan, &raw));
        return rebuild_string(raw);
    }
    struct scan before = *scan;
    assert_true(scan_value(scan, &raw));
    bool whole = true;
    for (size_t i = 0; i < raw.n; i++)
        whole &= strchr(".eE", raw.p[i]) == NULL;
    if (type == SCAN_NUMBER && whole) {
        char digits[32];
        assert_in_range(raw.n, 1, sizeof digits - 1);
        snprintf(digits, sizeof digits, "%.*s", (int)raw.n, raw.p);
        return json_integer(strtoll(digits, NULL, 10));
    }
    if (type == SCAN_NUMBER) {
        struct number number;
        assert_true(scan_number(&before, &number));
        assert_ptr_equal(before.at, scan->at);
        return json_real(number.value);
    }
    assert_int_equal(scan_null(&before), type == SCAN_NULL);
    return type == SCAN_NULL ? json_null() : json_boolean(type == SCAN_TRUE);
}

/* Whether jansson's refusal is one of those that scan.h leaves to the caller. */
static bool is_left_to_caller(const struct scan *scan, const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           (scan->lone_surrogate && strstr(error->text, "invalid Unicode") != NULL);
}

/* The text is copied to the end of a block of its own, so that reading beyond it shows. */
static bool agree(struct span text)
{
    char *copy = mem_copy(text.p, text.n);
    struct scan scan;
    scan_init(&scan, (struct span){copy, text.n});
    bool accepted = scan_value(&scan, NULL) && scan_done(&scan);
    json_error_t error;
    json_t *tree = json_loadb(text.p, text.n, LOAD, &error);
    if (accepted != (tree != NULL) && !(accepted && is_left_to_caller(&scan, &error)))
        fail_msg("%s, but jansson says '%s': %.*s", accepted ? "accepted" : scan.error,
                 tree == NULL ? error.text : "fine", (int)(text.n < 300 ? text.n : 300),
                 text.p);
    if (!accepted)
        assert_true(scan.error_at <= text.n);
    if (tree != NULL) {
        scan_init(&scan, (struct span){copy, text.n});
        json_t *again = rebuild(&scan);
        assert_true(scan_done(&scan));
        assert_true(json_equal(tree, again));
        json_decref(again);
    }
    json_decref(tree);
    free(copy);
    return accepted;
}

/* ---- a table ---- */

static const struct {
    const char *text;
    bool accepted;
} rows[] = {
    {"{}", true},
    {"[]", true},
    {" [ ] ", true},
    {"\t{\r\n\"a\" : [ 1 , true , null ] }\n", true},
    {"0", true},
    {"-0", true},
    {"-0.0e+00", true},
    {"1E5", true},
    {"12.5e-3", true},
    {"1e400", true},
    {"123456789012345678901234567890", true},
    {"\"\"", true},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"", true},
    {"\"\\u0000\"", true},
    {"{\"\\u0000\":1}", true},
    {"\"\\ud83d\"", true},
    {"\"\\udcaf x\"", true},
    {"\"\\ud83d\\u0041\"", true},
    {"\"\xf0\x9f\x98\x80 na\xc3\xafve \x7f\"", true},
    {"[1,2,3]", true},
    {"[10,0,255]", true},
    {"[[],{},[{}]]", true},
    {"{\"a\":1,\"a\":2}", true},
    {"true", true},
    {"false", true},
    {"null", true},
    {"", false},
    {" \n", false},
    {"nul", false},
    {"nullx", false},
    {"True", false},
    {"NaN", false},
    {"-Infinity", false},
    {"-", false},
    {"+1", false},
    {".5", false},
    {"1.", false},
    {"1.e5", false},
    {"01", false},
    {"-01.5", false},
    {"1e", false},
    {"1e+", false},
    {"0x10", false},
    {"1 2", false},
    {"[1,]", false},
    {"[,1]", false},
    {"[1,,2]", false},
    {"[01,2]", false},
    {"[1,02,3]", false},
    {"[1,00,3,4,5,6,7,8,9]", false},
    {"[123456789,,1234567]", false},
    {"[1,2,3,4,5,6,7,8,9,]", false},
    {"[1 2]", false},
    {"[1,2,3", false},
    {"[1,2,3}", false},
    {"{\"a\":1]", false},
    {"]", false},
    {"}", false},
    {"{\"a\"}", false},
    {"{\"a\":}", false},
    {"{\"a\" 1}", false},
    {"{a:1}", false},
    {"{1:1}", false},
    {"{\"a\":1,}", false},
    {"{,}", false},
    {"{\"a\":1 \"b\":2}", false},
    {"{}{}", false},
    {"{},", false},
    {"\"abc", false},
    {"\"a\\\"", false},
    {"\"\\x41\"", false},
    {"\"\\u12g4\"", false},
    {"\"\\u12\"", false},
    {"\"a\nb\"", false},
    {"\"a\x01\"", false},
    {"'a'", false},
    {"\"\x80\"", false},
    {"\"\xc0\xaf\"", false},
    {"\"\xe2\x82\"", false},
    {"\"\xed\xa0\x80\"", false},
    {"\"\xf4\x90\x80\x80\"", false},
    {"\xef\xbb\xbf{}", false},
    {"/**/{}", false},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (agree(span_of(rows[i].text)) != rows[i].accepted)
            fail_msg("%s is %s", rows[i].text, rows[i].accepted ? "refused" : "accepted");
    assert_true(agree((struct span){"[\"a\0b\"]", 7}) == false);
    assert_true(agree((struct span){"[1]\0", 4}) == false);
}

static void test_depth(void **state)
{
    (void)state;
    static const int depths[] = {1,   2, 7, SCAN_DEPTH - 1, SCAN_DEPTH, SCAN_DEPTH + 1,
                                 3000};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        static const char *const inner[] = {"", "1", "[]", "[1,2]", "\"a\"", "{\"b\":1}"};
        for (size_t k = 0; k < sizeof inner / sizeof inner[0]; k++) {
            struct buf text;
            buf_init(&text, SIZE_MAX / 2);
            for (int d = 0; d < depths[i]; d++)
                buf_text(&text, d % 3 == 1 && d + 1 < depths[i] ? "{\"a\":" : "[");
            buf_text(&text, inner[k]);
            for (int d = depths[i] - 1; d >= 0; d--)
                buf_byte(&text, d % 3 == 1 && d + 1 < depths[i] ? '}' : ']');
            assert_int_equal(agree(buf_view(&text)), depths[i] + (k == 0   ? 0
                                                                  : k == 3 ? 2
                                                                  : k == 5 ? 2
                                                                           : 1) <=
                                                         SCAN_DEPTH);
            buf_clear(&text);
        }
    }
}

/* ---- real replies, whole and spoilt ---- */

static void test_replies(void **state)
{
    (void)state;
    struct arena arena = {0};
    size_t n;
    char **names = captured_names(&arena, &n);
    for (size_t i = 0; i < n; i++) {
        struct captured captured;
        captured_load(names[i], &captured);
        bool stream = strstr(names[i], "_stream") != NULL;
        assert_int_equal(agree(captured.reply.body), !stream);
        captured_clear(&captured);
    }
    arena_clear(&arena);
}

static void test_prefixes(void **state)
{
    (void)state;
    static const char *const names[] = {"llamacpp.chat_tools", "vllm.chat",
                                        "vllm.chat_too_long",
                                        "vllm.completions_logprobs"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct captured captured;
        captured_load(names[i], &captured);
        for (size_t k = 0; k < captured.reply.body.n; k++)
            assert_false(agree((struct span){captured.reply.body.p, k}));
        captured_clear(&captured);
    }
}

/* Every byte of a small reply, and some of a large one, each in several ways. */
static void test_flips(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t stride;
    } cases[] = {
        {"vllm.chat", 1},
        {"llamacpp.unknown_path", 1},
        {"llamacpp.tokenize", 1},
        {"vllm.chat_length", 13},
        {"llamacpp.chat_emoji_ids", 61},
        {"vllm.completions_score", 31},
    };
    static const unsigned char masks[] = {0x01, 0x02, 0x20, 0x5b, 0x80, 0xff};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct captured captured;
        captured_load(cases[i].name, &captured);
        struct span body = captured.reply.body;
        char *copy = mem_copy(body.p, body.n);
        for (size_t k = 0; k < body.n; k += cases[i].stride)
            for (size_t m = 0; m < sizeof masks; m++) {
                copy[k] = (char)((unsigned char)copy[k] ^ masks[m]);
                agree((struct span){copy, body.n});
                copy[k] = body.p[k];
            }
        free(copy);
        captured_clear(&captured);
    }
}

/* ---- pulling ---- */

static void test_pull(void **state)
{
    (void)state;
    struct scan scan;
    struct span key, raw;
    struct number number;
    scan_init(&scan, span_of(" {\"a\" : \"x\\n\", \"b\":[1, -2.5 ,null],\"c\":{ } } "));
    assert_int_equal(scan_next(&scan), SCAN_OBJECT);
    assert_true(scan_object(&scan));
    assert_true(scan_key(&scan, &key));
    assert_true(span_is(key, "\"a\""));
    assert_true(scan_string(&scan, &raw));
    assert_true(span_is(raw, "\"x\\n\""));
    assert_true(scan_key(&scan, &key));
    assert_true(scan_array(&scan));
    assert_true(scan_item(&scan));
    assert_false(scan_null(&scan));
    assert_true(scan_number(&scan, &number));
    assert_true(number.value == 1);
    assert_true(scan_item(&scan));
    assert_true(scan_number(&scan, &number));
    assert_true(number.value == -2.5);
    assert_true(scan_item(&scan));
    assert_true(scan_null(&scan));
    assert_false(scan_item(&scan));
    assert_true(scan_key(&scan, &key));
    assert_true(scan_value(&scan, &raw));
    assert_true(span_is(raw, "{ }"));
    assert_false(scan_key(&scan, &key));
    assert_null(scan.error);
    assert_int_equal(scan.depth, 0);
    assert_true(scan_done(&scan));
}

static void test_first_error_stays(void **state)
{
    (void)state;
    struct scan scan;
    struct span raw;
    struct number number;
    scan_init(&scan, span_of("[1,x,2]"));
    assert_true(scan_array(&scan));
    assert_true(scan_item(&scan));
    assert_true(scan_number(&scan, &number));
    assert_true(scan_item(&scan));
    assert_false(scan_value(&scan, &raw));
    assert_string_equal(scan.error, "a value was expected");
    assert_int_equal(scan.error_at, 3);
    assert_false(scan_item(&scan));
    assert_false(scan_object(&scan));
    assert_false(scan_string(&scan, &raw));
    assert_false(scan_number(&scan, &number));
    assert_false(scan_null(&scan));
    assert_int_equal(scan_next(&scan), SCAN_NONE);
    assert_false(scan_done(&scan));
    assert_string_equal(scan.error, "a value was expected");
    assert_int_equal(scan.error_at, 3);
}

static void test_surrogates_noted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool lone;
    } cases[] = {
        {"\"\\ud83d\\ude00\"", false}, {"\"\\ud83d\"", true},  {"\"\\ude00\"", true},
        {"\"\\ud83dx\"", true},        {"\"\\u0041\"", false}, {"\"\\ud83d\\n\"", true},
        {"\"\\ud83d\\ud83d\"", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scan scan;
        scan_init(&scan, span_of(cases[i].text));
        assert_true(scan_value(&scan, NULL) && scan_done(&scan));
        assert_int_equal(scan.lone_surrogate, cases[i].lone);
    }
}

static void test_skip(void **state)
{
    (void)state;
    struct scan scan;
    struct span raw;
    scan_init(&scan, span_of("{\"a\":1,\"b\":2}"));
    assert_true(scan_object(&scan));
    assert_false(scan_skip(&scan, "\"b\":", 4));
    assert_true(scan_skip(&scan, "\"a\":", 4));
    assert_true(scan_value(&scan, &raw));
    assert_true(scan_skip(&scan, ",\"b\":", 5));
    assert_true(scan_value(&scan, &raw));
    assert_true(span_is(raw, "2"));
    assert_false(scan_skip(&scan, "} and more", 10));
    assert_false(scan_key(&scan, &raw));
    assert_true(scan_done(&scan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_pull),
        cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_surrogates_noted),
        cmocka_unit_test(test_skip),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
