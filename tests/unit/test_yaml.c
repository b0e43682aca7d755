/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"

static int convert(const char *yaml, struct buf *json, struct err *err)
{
    struct arena arena = {0};
    struct yaml_node *root = NULL;
    int result = yaml_parse(span_of(yaml), "f.yaml", &arena, &root, err);
    if (result == 0 && root != NULL)
        result = yaml_add_json(root, "f.yaml", json, err);
    arena_clear(&arena);
    return result;
}

static void test_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"", ""},
        {"# only a comment\n", ""},
        {"---\n...\n", ""},
        {"~", ""},
        {"{}", "{}"},
        {"b: 1\na: 2\n", "{\"a\":2,\"b\":1}"},
        {"[null, Null, NULL, ~, ]", "[null,null,null,null]"},
        {"a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}"},
        {"[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]"},
        {"[tRue, yes, no, on, off, y, n]",
         "[\"tRue\",\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]"},
        {"[0, -0, +7, 007, 0o17, 0x1F, 0b11, 1_000, 12:30]",
         "[0,0,7,7,15,31,\"0b11\",\"1_000\",\"12:30\"]"},
        {"[9223372036854775807, -9223372036854775808]",
         "[9223372036854775807,-9223372036854775808]"},
        {"[.5, 1., 1.5e3, -2E-2, 1e3, .e3, '.', e3, 1.5.2, 1e, +]",
         "[0.5,1.0,1500.0,-0.02,1000.0,\".e3\",\".\",\"e3\",\"1.5.2\",\"1e\",\"+\"]"},
        {"['1', \"true\", \"a\\tb\", '~']", "[\"1\",\"true\",\"a\\tb\",\"~\"]"},
        {"a: |\n  1\n  2\nb: >\n  x\n  y\n", "{\"a\":\"1\\n2\\n\",\"b\":\"x y\\n\"}"},
        {"a: {b: [1, {c: [[]]}]}", "{\"a\":{\"b\":[1,{\"c\":[[]]}]}}"},
        {"1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}"},
        {"2026-11-01", "\"2026-11-01\""},
        {"\xef\xbb\xbf"
         "a: \xc3\xa9\n",
         "{\"a\":\"\xc3\xa9\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf json;
        struct err err = {0};
        buf_init(&json, 1 << 16);
        if (convert(cases[i].yaml, &json, &err) != 0)
            fail_msg("%s: %s", cases[i].yaml, err.what);
        assert_string_equal(buf_view(&json).p, cases[i].json);
        buf_clear(&json);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *what, *where, *why;
    } cases[] = {
        {"a: 1\nb: &x 2\n", "anchors ('&name') are not supported", "f.yaml:2", ""},
        {"a: 1\nb: *x\n", "aliases ('*name') are not supported", "f.yaml:2", ""},
        {"&a b: 1\n", "anchors", "f.yaml:1", ""},
        {"x: &m {a: 1}\n", "anchors", "f.yaml:1", ""},
        {"x: &m [1]\n", "anchors", "f.yaml:1", ""},
        {"x: !!str 1\n", "tags ('!name') are not supported", "f.yaml:1", ""},
        {"x: !foo {a: 1}\n", "tags", "f.yaml:1", ""},
        {"a: 1\n---\nb: 2\n", "a second document: one file holds one", "f.yaml:2", ""},
        {"a: 1\nb: 2\na: 3\n", "key 'a' comes twice", "f.yaml:3",
         "given before in line 1"},
        {"x: {a: 1, 'a': 2}\n", "key 'a' comes twice", "f.yaml:1", ""},
        {"<<: {a: 1}\n", "merge keys ('<<') are not supported", "f.yaml:1", ""},
        {"[a]: 1\n", "a key must be text", "f.yaml:1", ""},
        {"? {a: 1}\n: 2\n", "a key must be text", "f.yaml:1", ""},
        {"'': 1\n", "a key is missing before ':'", "f.yaml:1", ""},
        {"a: [1, 2\nb: 3\n", "not valid YAML: ", "f.yaml:2", "began in line 1"},
        {"a: 1\n\tb: 2\n", "not valid YAML: ", "f.yaml:2", ""},
        {"a: 'x\n", "not valid YAML: ", "f.yaml:2", "began in line 1"},
        {"a: \xff\n", "not valid YAML: ", "f.yaml, byte 3", ""},
        {"a: \"\\0\"\n", "text with a NUL in it", "f.yaml:1", ""},
        {"x:\n  - 1\n  - .inf\n", "the number '.inf' has no form in JSON", "f.yaml:3",
         ""},
        {"-.Inf", "'-.Inf'", "f.yaml:1", ""},
        {".nan", "'.nan'", "f.yaml:1", ""},
        {"1e999", "'1e999'", "f.yaml:1", ""},
        {"99999999999999999999", "'99999999999999999999'", "f.yaml:1", ""},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
         "nested too deeply", "f.yaml:1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf json;
        struct err err = {0};
        buf_init(&json, 1 << 16);
        assert_int_equal(convert(cases[i].yaml, &json, &err), -1);
        buf_clear(&json);
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(err.what, cases[i].what) == NULL ||
            strstr(err.why, cases[i].why) == NULL ||
            strncmp(err.where, cases[i].where, strlen(cases[i].where)) != 0)
            fail_msg("%s: %s | %s | %s", cases[i].yaml, err.what, err.where, err.why);
    }
}

static void test_lines(void **state)
{
    (void)state;
    static const char yaml[] = "a: 1\n\nb:\n  c: 'x'\n  d: [1,\n    2]\n";
    struct arena arena = {0};
    struct yaml_node *root = NULL;
    assert_int_equal(yaml_parse(span_of(yaml), "f.yaml", &arena, &root, NULL), 0);
    const struct yaml_node *b = root->child->next, *c = b->child, *d = c->next;
    assert_string_equal(root->child->key, "a");
    assert_true(root->child->plain);
    assert_int_equal(b->line, 3);
    assert_int_equal(b->kind, YAML_MAPPING);
    assert_int_equal(c->line, 4);
    assert_false(c->plain);
    assert_string_equal(c->text, "x");
    assert_int_equal(d->line, 5);
    assert_int_equal(d->child->next->line, 6);
    assert_null(d->next);
    arena_clear(&arena);
}

static void test_too_large(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct yaml_node *root = NULL;
    struct err err = {0};
    struct buf text;
    buf_init(&text, YAML_MAX + 1);
    buf_reserve(&text, YAML_MAX + 1);
    memset(text.p, '#', YAML_MAX + 1);
    text.n = YAML_MAX + 1;
    assert_int_equal(yaml_parse(buf_view(&text), "f.yaml", &arena, &root, &err), -1);
    text.n = 0;
    for (int i = 0; i < 20000; i++)
        buf_format(&text, "- %d\n", i);
    err = (struct err){0};
    assert_int_equal(yaml_parse(buf_view(&text), "f.yaml", &arena, &root, &err), -1);
    assert_string_equal(err.what, "too many values in one file");
    buf_clear(&text);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_schema),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_too_large),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
