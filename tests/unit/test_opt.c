/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "base/opt.h"
#include "base/opt_value.h"

struct values {
    bool quiet, json;
    int64_t limit, size, wait;
    double heat;
    char *model, *mode, *map;
};

#define AT(field) offsetof(struct values, field)

static const struct opt_row rows[] = {
    {.name = "quiet",
     .letter = 'q',
     .type = OPT_FLAG,
     .offset = AT(quiet),
     .scopes = " run "},
    {.name = "json",
     .letter = 'j',
     .type = OPT_FLAG,
     .offset = AT(json),
     .scopes = " run show env "},
    {.name = "limit",
     .letter = 'n',
     .type = OPT_COUNT,
     .offset = AT(limit),
     .arg = "N",
     .range = "1..100",
     .value = "7",
     .scopes = " run env "},
    {.name = "max-size",
     .type = OPT_SIZE,
     .offset = AT(size),
     .arg = "SIZE",
     .value = "64M",
     .scopes = " run config env "},
    {.name = "wait",
     .type = OPT_DURATION,
     .offset = AT(wait),
     .arg = "TIME",
     .value = "10s",
     .scopes = " run "},
    {.name = "heat",
     .type = OPT_REAL,
     .offset = AT(heat),
     .arg = "T",
     .range = "0..",
     .scopes = " run "},
    {.name = "model",
     .letter = 'm',
     .type = OPT_TEXT,
     .offset = AT(model),
     .arg = "M",
     .scopes = " run config env "},
    {.name = "mode",
     .type = OPT_CHOICE,
     .offset = AT(mode),
     .arg = "M",
     .choices = "retry|hold",
     .value = "retry",
     .scopes = " run "},
    {.name = "map",
     .type = OPT_MAP,
     .offset = AT(map),
     .arg = "M",
     .scopes = " teacher "},
    {.name = "raw", .type = OPT_FLAG, .offset = AT(json), .scopes = " show env "},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

struct fixture {
    struct values values;
    struct opt_source sources[ROWS];
    struct opt_set set;
    struct err err;
};

static int make(void **state)
{
    struct fixture *fixture = mem_new(sizeof *fixture);
    fixture->set = (struct opt_set){rows, ROWS, &fixture->values, fixture->sources};
    *state = fixture;
    return 0;
}

static int clear(void **state)
{
    struct fixture *fixture = *state;
    opt_clear(&fixture->set);
    assert_null(fixture->values.model);
    free(fixture);
    return 0;
}

/* Splits at spaces into writable words, reads them as `run …` and returns the words left,
 * joined again; NULL after an error. */
static char *parse(struct fixture *fixture, const char *line)
{
    char *copy = mem_format("run %s", line), *argv[32], *save = NULL;
    int argc = 0, n_words = -1;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    fixture->err = (struct err){0};
    struct buf left;
    buf_init(&left, 4096);
    int result = opt_argv(&fixture->set, "run", argc, argv, &n_words, &fixture->err);
    for (int i = 1; result == 0 && i <= n_words; i++)
        buf_format(&left, "%s%s", i > 1 ? " " : "", argv[i]);
    free(copy);
    char *words = buf_take(&left);
    if (result == 0)
        return words;
    free(words);
    return NULL;
}

static void expect_words(struct fixture *fixture, const char *line, const char *words)
{
    char *left = parse(fixture, line);
    if (left == NULL)
        fail_msg("%s: %s", line, fixture->err.what);
    assert_string_equal(left, words);
    free(left);
}

static void test_command_line(void **state)
{
    struct fixture *fixture = *state;
    struct values *values = &fixture->values;
    expect_words(fixture, "a -n5 b --max-size=1K --wait 500ms -q", "a b");
    assert_int_equal(values->limit, 5);
    assert_int_equal(values->size, 1024);
    assert_int_equal(values->wait, 500);
    assert_true(values->quiet);
    expect_words(fixture, "-n 6 --no-quiet --heat .5 --model -x --mode=hold - -- --json",
                 "- --json");
    assert_int_equal(values->limit, 6);
    assert_false(values->quiet);
    assert_false(values->json);
    assert_true(values->heat == 0.5);
    assert_string_equal(values->model, "-x");
    assert_string_equal(values->mode, "hold");
    expect_words(fixture, "-qjn8 --max_size 2M --json=false --model=", "");
    assert_true(values->quiet);
    assert_false(values->json);
    assert_int_equal(values->limit, 8);
    assert_int_equal(values->size, 2 << 20);
    assert_string_equal(values->model, "");
    assert_true(opt_is_set(&fixture->set, "limit"));
    assert_false(opt_is_set(&fixture->set, "map"));
}

static void test_command_line_errors(void **state)
{
    static const struct {
        const char *line, *what, *why, *fix;
    } cases[] = {
        {"--limit", "'--limit' needs a value: --limit=N", "", ""},
        {"-n", "'--limit' needs a value", "", ""},
        {"--model --json", "'--model' needs a value", "", ""},
        {"--limit 0", "'--limit' takes a whole number from 1 to 100, not '0'", "", ""},
        {"--limit 101", "from 1 to 100, not '101'", "", ""},
        {"--limit 5x", "not '5x'", "", ""},
        {"--limit -5", "not '-5'", "", ""},
        {"--limit=",
         "'--limit' takes a whole number from 1 to 100, and nothing was given", "", ""},
        {"--limit 99999999999999999999", "whole number", "", ""},
        {"--heat -1", "'--heat' takes a number of at least 0, not '-1'", "", ""},
        {"--heat nan", "not 'nan'", "", ""},
        {"--heat 0x1p3", "not '0x1p3'", "", ""},
        {"--mode maybe", "'--mode' takes one of retry, hold, not 'maybe'", "", ""},
        {"--mode ret", "one of retry, hold", "", ""},
        {"--quiet=maybe", "'--quiet' takes true or false, not 'maybe'", "", ""},
        {"--lim 5", "unknown option '--lim' for 'harvest run'", "",
         "did you mean '--limit'?"},
        {"--modle x", "unknown option '--modle'", "", "did you mean '--model'?"},
        {"--raw", "unknown option '--raw'", "'--raw' is an option of: show", "--help"},
        {"--no-limit", "unknown option '--no-limit'", "", "did you mean '--limit'?"},
        {"--map x", "unknown option '--map'", "", ""},
        {"-x", "unknown option '-x' for 'harvest run'", "", "--help"},
        {"-qx", "unknown option '-x'", "", ""},
        {"--zzzzzzzz", "unknown option '--zzzzzzzz'", "",
         "'harvest run --help' lists the options"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(parse(fixture, cases[i].line));
        assert_int_equal(fixture->err.code, ERR_USAGE);
        if (strstr(fixture->err.what, cases[i].what) == NULL ||
            strstr(fixture->err.why, cases[i].why) == NULL ||
            strstr(fixture->err.fix, cases[i].fix) == NULL)
            fail_msg("%s: %s | %s | %s", cases[i].line, fixture->err.what,
                     fixture->err.why, fixture->err.fix);
    }
}

static void test_values(void **state)
{
    static const struct {
        const char *row, *text;
        int64_t value; /* -1: refused */
    } cases[] = {
        {"max-size", "0", 0},
        {"max-size", "1k", 1024},
        {"max-size", "1.5K", 1536},
        {"max-size", "3G", 3LL << 30},
        {"max-size", "2T", 2LL << 40},
        {"max-size", "64MB", -1},
        {"max-size", "-1", -1},
        {"max-size", "1.0001K", -1},
        {"max-size", "", -1},
        {"max-size", "K", -1},
        {"max-size", "1.2.3", -1},
        {"max-size", "99999999T", -1},
        {"max-size", "1 K", -1},
        {"wait", "30", 30000},
        {"wait", "500ms", 500},
        {"wait", "1.5h", 5400000},
        {"wait", "2m", 120000},
        {"wait", "1d", 86400000},
        {"wait", "10sec", -1},
        {"wait", "0.0001s", -1},
        {"limit", "+5", -1},
        {"limit", " 5", -1},
        {"limit", "05", 5},
        {"limit", "5.0", -1},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        union opt_value value = {0};
        const struct opt_row *row = opt_find(&fixture->set, NULL, cases[i].row);
        bool good = opt_value_parse(row, cases[i].text, &value);
        if (good != (cases[i].value >= 0) || (good && value.whole != cases[i].value))
            fail_msg("%s: %s", cases[i].row, cases[i].text);
    }
}

/* What is stronger wins in whatever order sources are read; the weaker is checked still. */
static void test_precedence(void **state)
{
    struct fixture *fixture = *state;
    const struct opt_set *set = &fixture->set;
    const struct opt_row *limit = opt_find(set, "run", "limit");
    struct err *err = &fixture->err;
    assert_int_equal(opt_put(set, limit, "3", ORIGIN_ENV, 0, err), 0);
    assert_int_equal(opt_put(set, limit, "4", ORIGIN_FILE, 12, err), 0);
    assert_int_equal(opt_defaults(set, err), 0);
    assert_int_equal(fixture->values.limit, 3);
    assert_int_equal(fixture->sources[limit - rows].origin, ORIGIN_ENV);
    assert_int_equal(opt_put(set, limit, "5", ORIGIN_ARGV, 0, err), 0);
    assert_int_equal(opt_put(set, limit, "6", ORIGIN_ARGV, 0, err), 0);
    assert_int_equal(fixture->values.limit, 6);
    assert_int_equal(opt_put(set, limit, "x", ORIGIN_FILE, 12, err), -1);
    assert_string_equal(err->what, "'limit' takes a whole number from 1 to 100, not 'x'");
    assert_int_equal(fixture->values.limit, 6);
    assert_int_equal(fixture->values.size, 64 << 20);
    assert_string_equal(fixture->values.mode, "retry");
    assert_false(opt_is_set(set, "mode"));
}

static void test_environment(void **state)
{
    struct fixture *fixture = *state;
    setenv("HARVEST_MAX_SIZE", "2K", 1);
    setenv("HARVEST_MODEL", "", 1);
    setenv("HARVEST_WAIT", "7s", 1);      /* has no scope env */
    setenv("HARVEST_RAW", "nonsense", 1); /* of another command */
    assert_int_equal(opt_environment(&fixture->set, "run", &fixture->err), 0);
    assert_int_equal(fixture->values.size, 2048);
    assert_null(fixture->values.model);
    assert_int_equal(fixture->values.wait, 0);
    setenv("HARVEST_LIMIT", "many", 1);
    assert_int_equal(opt_environment(&fixture->set, "run", &fixture->err), -1);
    assert_string_equal(fixture->err.where, "environment variable HARVEST_LIMIT");
    assert_non_null(strstr(fixture->err.what, "'HARVEST_LIMIT' takes a whole number"));
    unsetenv("HARVEST_LIMIT");
    unsetenv("HARVEST_MAX_SIZE");
    unsetenv("HARVEST_WAIT");
    unsetenv("HARVEST_RAW");
}

static void test_scopes(void **state)
{
    struct fixture *fixture = *state;
    assert_non_null(opt_find(&fixture->set, "config", "max_size"));
    assert_null(opt_find(&fixture->set, "config", "limit"));
    assert_null(opt_find(&fixture->set, "conf", "max-size")); /* part of a word */
    assert_null(opt_find(&fixture->set, "run", "max"));
    assert_string_equal(opt_nearest(&fixture->set, "config", "modell"), "model");
    assert_null(opt_nearest(&fixture->set, "config", "limt"));
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *given, *found;
    } cases[] = {
        {"temprature", "temperature"},
        {"tempreature", "temperature"},
        {"TEMPERATURE", "temperature"},
        {"temp", "temperature"},
        {"te", NULL},
        {"top_logprob", "top-logprobs"},
        {"xyz", NULL},
        {"", NULL},
        {"urll", "url"},
        {"ulr", "url"},
        {"uu", NULL},
    };
    static const char *const known[] = {"temperature", "top-logprobs", "url", "rpm"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct nearest near = {.given = cases[i].given};
        for (size_t j = 0; j < sizeof known / sizeof known[0]; j++)
            nearest_offer(&near, known[j]);
        if ((near.found == NULL) != (cases[i].found == NULL) ||
            (near.found != NULL && strcmp(near.found, cases[i].found) != 0))
            fail_msg("%s: %s", cases[i].given, near.found ? near.found : "nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_command_line, make, clear),
        cmocka_unit_test_setup_teardown(test_command_line_errors, make, clear),
        cmocka_unit_test_setup_teardown(test_values, make, clear),
        cmocka_unit_test_setup_teardown(test_precedence, make, clear),
        cmocka_unit_test_setup_teardown(test_environment, make, clear),
        cmocka_unit_test_setup_teardown(test_scopes, make, clear),
        cmocka_unit_test(test_nearest),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
