/* SPDX-License-Identifier: MIT */
#include "harvest/figures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void expect(struct buf *out, const char *expected)
{
    assert_string_equal(buf_view(out).p, expected);
    buf_reset(out);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    static const struct {
        uint64_t n;
        const char *count, *bytes;
    } rows[] = {
        {0, "0", "0 bytes"},
        {1, "1", "1 byte"},
        {999, "999", "999 bytes"},
        {1000, "1,000", "1.0 kB"},
        {999949, "999,949", "999.9 kB"},
        {999950, "999,950", "1.0 MB"},
        {1234567, "1,234,567", "1.2 MB"},
        {268435456, "268,435,456", "268.4 MB"},
        {UINT64_MAX, "18,446,744,073,709,551,615", "18446.7 PB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        figures_add_count(&out, rows[i].n);
        expect(&out, rows[i].count);
        figures_add_bytes(&out, rows[i].n);
        expect(&out, rows[i].bytes);
    }
    figures_add_time(&out, 1700000000999);
    expect(&out, "2023-11-14 22:13:20 UTC");
    buf_clear(&out);
}

static void test_words(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    static const struct {
        const char *word, *expected;
    } rows[] = {
        {"plain-1.txt", "plain-1.txt"}, {"", "''"},           {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},         {"$HOME", "'$HOME'"}, {"\n", "'\n'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        figures_add_word(&out, rows[i].word);
        expect(&out, rows[i].expected);
    }
    buf_clear(&out);
}

/* What is proposed can be typed as it is, in the same place. */
static void test_commands(void **state)
{
    (void)state;
    struct buf out;
    struct err err = {0};
    struct config config;
    struct run_row last = {.command = "harvest run -n 3 prompts.txt"};
    int n_words;
    buf_init(&out, 10000);
    char status[] = "status", option[] = "--store", store[] = "my store.db";
    char *plain[] = {status, NULL};
    assert_int_equal(config_load(&config, "status", 1, plain, &n_words, &err), 0);
    figures_add_command(&out, &config, "retry --failed");
    expect(&out, "harvest retry --failed");
    figures_add_run(&out, &config, &last);
    expect(&out, "harvest run -n 3 prompts.txt");
    config_clear(&config);
    char *other[] = {status, option, store, NULL};
    assert_int_equal(config_load(&config, "status", 3, other, &n_words, &err), 0);
    figures_add_command(&out, &config, "export -o dataset");
    expect(&out, "harvest export -o dataset --store 'my store.db'");
    memset(last.command, 'x',
           sizeof last.command - 1); /* it was longer than there is room */
    figures_add_run(&out, &config, &last);
    expect(&out, "harvest run PROMPTS\xe2\x80\xa6 --store 'my store.db'");
    config_clear(&config);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_commands),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
