/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

/* ---- strings ---- */

static void check_string(struct span text)
{
    struct buf literal, back;
    buf_init(&literal, SIZE_MAX / 2);
    buf_init(&back, SIZE_MAX / 2);
    json_add_string(&literal, text);
    json_t *value = json_stringn(text.p, text.n);
    char *dumped = json_dumps(value, JSON_ENCODE_ANY);
    assert_string_equal(buf_view(&literal).p, dumped);
    assert_true(json_unquote(&back, buf_view(&literal)));
    assert_true(span_equal(buf_view(&back), text));
    free(dumped);
    json_decref(value);
    buf_clear(&literal);
    buf_clear(&back);
}

/* Every ASCII character and some others, at every place of an eight-byte step. */
static void test_strings(void **state)
{
    (void)state;
    static const uint32_t others[] = {0x80,   0x7ff,   0x800,   0xfffd,
                                      0xffff, 0x10000, 0x1f600, 0x10ffff};
    for (uint32_t i = 0; i < 128 + sizeof others / sizeof others[0]; i++)
        for (int place = 0; place < 17; place++) {
            struct buf text;
            buf_init(&text, 64);
            for (int k = 0; k < 17; k++)
                if (k == place)
                    utf8_add(&text, i < 128 ? i : others[i - 128]);
                else
                    buf_byte(&text, (char)('a' + k));
            check_string(buf_view(&text));
            buf_clear(&text);
        }
    check_string(span_of(""));
}

static void test_plain_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"abcdefgh", 8},
        {"abcdefghi", 9},
        {"abcdefg\"", 7},
        {"abcdefgh\\", 8},
        {"\n", 0},
        {"abc\x1f"
         "defghij",
         3},
        {"\x7f\xc3\xa9 abcdefgh", 12},
        {"\xff\xfe\x80", 3},
        {"abcdefgh12345678\t", 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(json_plain_prefix(span_of(cases[i].text)), cases[i].n);
}

static void test_unquote(void **state)
{
    (void)state;
    static const struct {
        const char *literal, *text; /* NULL: malformed */
    } cases[] = {
        {"\"\"", ""},
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "a\"\\/\b\f\n\r\tz"},
        {"\"\\u00e9\\u00E9\\u20ac\"", "\xc3\xa9\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"},
        {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\\ud83dA\"", "\xef\xbf\xbd"
                         "A"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"", NULL},
        {"\"", NULL},
        {"a", NULL},
        {"\"a", NULL},
        {"a\"", NULL},
        {"\"a\"b\"", NULL},
        {"\"\\\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\u12\"", NULL},
        {"\"\\u12g4\"", NULL},
        {"\"a\nb\"", NULL},
        {"\"\xff\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        bool right = json_unquote(&text, span_of(cases[i].literal));
        assert_int_equal(right, cases[i].text != NULL);
        if (right)
            assert_string_equal(buf_view(&text).p, cases[i].text);
        buf_clear(&text);
    }
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    assert_true(json_unquote(&text, span_of("\"a\\u0000b\"")));
    assert_int_equal(text.n, 3);
    assert_memory_equal(text.p, "a\0b", 3);
    buf_clear(&text);
}

/* ---- documents ---- */

static void test_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {" { \"b\" : 1 , \"a\" : [ true , false , null ] } ",
         "{\"a\":[true,false,null],\"b\":1}"},
        {"{\"z\":{\"y\":1,\"x\":{}},\"\":[]}", "{\"\":[],\"z\":{\"x\":{},\"y\":1}}"},
        {"[1.0,1,1e0,0.70,1E2,-0.0,1e-7,123456789012345678]",
         "[1.0,1,1.0,0.7,100.0,-0.0,1e-07,123456789012345678]"},
        {"\"\\u00e9\\u0001\\/\"", "\"\xc3\xa9\\u0001/\""},
        {"{\"\\u00e9\":1,\"z\":2,\"e\\u0301\":3}",
         "{\"e\xcc\x81\":3,\"z\":2,\"\xc3\xa9\":1}"},
        {"12", "12"},
        {"null", "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct span canonical, again;
        assert_int_equal(json_canonical(span_of(cases[i].text), &arena, &canonical, NULL),
                         0);
        assert_string_equal(canonical.p, cases[i].canonical);
        assert_int_equal(json_canonical(canonical, &arena, &again, NULL), 0);
        assert_true(span_equal(canonical, again));
        arena_clear(&arena);
    }
}

static void test_parse_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "byte 0: "},
        {"{\"a\":1,\"a\":2}", "byte 10: duplicate object key"},
        {"{\"a\":1}x", "byte 8: end of file expected"},
        {"[NaN]", "byte 4: invalid token"},
        {"[1,]", "byte 4: unexpected token"},
        {"\"\\u0000\"", "byte 8: \\u0000 is not allowed"},
        {"[123456789012345678901234567890]", "byte 31: too big integer"},
        {"\"\xff\"", "byte 1: unable to decode byte 0xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        assert_null(json_parse(span_of(cases[i].text), &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.what, "not valid JSON");
        if (strncmp(err.why, cases[i].why, strlen(cases[i].why)) != 0)
            fail_msg("%s: %s", cases[i].text, err.why);
    }
    struct err err = {0};
    struct arena arena = {0};
    struct span canonical = SPAN_LITERAL("untouched");
    assert_int_equal(json_canonical(span_of("{"), &arena, &canonical, &err), -1);
    assert_true(span_is(canonical, "untouched"));
    assert_null(json_parse((struct span){0}, NULL));
    arena_clear(&arena);
}

static void test_merge(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct span merged = {0};
    const struct span objects[] = {
        span_of("{\"b\":{\"x\":1},\"a\":1}"),
        {0},
        span_of(""),
        span_of("{\"b\":{\"y\":2},\"c\":null}"),
    };
    assert_int_equal(json_merge(objects, 4, &arena, &merged, NULL), 0);
    assert_string_equal(merged.p, "{\"a\":1,\"b\":{\"y\":2},\"c\":null}");
    assert_int_equal(json_merge(objects, 0, &arena, &merged, NULL), 0);
    assert_string_equal(merged.p, "{}");
    struct err err = {0};
    const struct span broken[] = {span_of("{}"), span_of("{")};
    assert_int_equal(json_merge(broken, 2, &arena, &merged, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),      cmocka_unit_test(test_plain_prefix),
        cmocka_unit_test(test_unquote),      cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_parse_errors), cmocka_unit_test(test_merge),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
