/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "harvest/cmd.h"
#include "harvest/config.h"
#include "tests/unit/scratch.h"

enum { WORDS_MAX = 64 };

/* ---- a directory with a harvest.yaml, and command lines in it --------------------------- */

static int enter(void **state)
{
    static const char *const variables[] = {"HARVEST_URL",    "HARVEST_MODEL",
                                            "HARVEST_CONFIG", "HARVEST_RPM",
                                            "HARVEST_STORE",  "HARVEST_TEACHER"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    setenv("HOME", "/home/me", 1);
    return scratch_make(state) != 0 || chdir(*state) != 0;
}

static int leave(void **state)
{
    return chdir("/") != 0 || scratch_remove(state) != 0;
}

/* Takes a command line apart as a shell does, for words, '…' and "…". Writes into line. */
static int split_words(char *line, char **words)
{
    int n = 0;
    for (char *p = line; *p != '\0' && n < WORDS_MAX - 1;) {
        p += strspn(p, " ");
        if (*p == '\0')
            break;
        char *to = words[n++] = p, quote = '\0';
        for (; *p != '\0' && (quote != '\0' || *p != ' '); p++) {
            if (*p == quote)
                quote = '\0';
            else if (quote == '\0' && (*p == '\'' || *p == '"'))
                quote = *p;
            else
                *to++ = *p;
        }
        p += *p != '\0';
        *to = '\0';
    }
    words[n] = NULL;
    return n;
}

/* Reads "run …" or "export …" as main does. */
static int load(struct config *config, const char *line, struct err *err)
{
    char *copy = mem_str(line), *words[WORDS_MAX];
    int argc = split_words(copy, words), n_words = 0;
    *err = (struct err){0};
    int result = config_load(config, words[0], argc, words, &n_words, err);
    free(copy);
    return result;
}

static int load_teacher(struct config *config, struct teacher_conf *teacher,
                        const char *line, struct err *err)
{
    *config = (struct config){0};
    *teacher = (struct teacher_conf){0};
    if (load(config, line, err) != 0)
        return -1;
    return config_teacher(config, teacher, err);
}

/* ---- what is refused -------------------------------------------------------------------- */

struct refusal {
    const char *yaml, *what, *where, *why, *fix;
};

static const struct refusal refusals[] = {
    {"concurency: 4\n", "unknown key 'concurency'", "harvest.yaml:1, concurency",
     "no such setting", "did you mean 'concurrency'?"},
    {"store: x\n\ntop_logprob: 4\n", "unknown key 'top_logprob'",
     "harvest.yaml:3, top_logprob", "", "did you mean 'top_logprobs'?"},
    {"teacher_s:\n", "unknown key 'teacher_s'", "harvest.yaml:1", "", "'teachers'"},
    {"qqqqqqqq: 1\n", "unknown key 'qqqqqqqq'", "harvest.yaml:1", "", "harvest(1)"},
    {"concurrency: 5x\n", "'concurrency' takes a whole number from 1 to 4096, not '5x'",
     "harvest.yaml:1, concurrency", "", ""},
    {"concurrency: \"5\"\n", "not a text in quotes", "harvest.yaml:1", "", ""},
    {"concurrency:\n", "not nothing", "harvest.yaml:1", "", ""},
    {"concurrency: 0\n", "from 1 to 4096, not '0'", "harvest.yaml:1", "", ""},
    {"concurrency: [1]\n", "not a list", "harvest.yaml:1", "", ""},
    {"concurrency: {a: 1}\n", "not a mapping", "harvest.yaml:1", "", ""},
    {"concurrency: 1.5\n", "not '1.5'", "harvest.yaml:1", "", ""},
    {"temperature: hot\n", "'temperature' takes a number of at least 0, not 'hot'",
     "harvest.yaml:1", "", ""},
    {"timeout: soon\n", "'timeout' takes a duration such as", "harvest.yaml:1", "", ""},
    {"keep: maybe\n", "'keep' takes true or false, not 'maybe'", "harvest.yaml:1", "",
     ""},
    {"keep: 'true'\n", "not a text in quotes", "harvest.yaml:1", "", ""},
    {"invalid: ignore\n", "'invalid' takes one of fail, skip, not 'ignore'",
     "harvest.yaml:1", "", ""},
    {"url: ~\n", "'url' takes text, not nothing", "harvest.yaml:1", "", ""},
    {"max_tokens: 3\nmax-tokens: 4\n", "key 'max-tokens' comes twice",
     "harvest.yaml:2, max-tokens", "in line 1", ""},
    {"teachers:\n  a:\n    api_key: sk-1\n", "unknown key 'api_key'",
     "harvest.yaml:3, teachers.a.api_key", "a credential is not written", "'key_file'"},
    {"key_file: x\n", "unknown key 'key_file'", "harvest.yaml:1",
     "a teacher's stanza below 'teachers:'", ""},
    {"limit: 5\n", "unknown key 'limit'", "harvest.yaml:1",
     "'--limit' is for the command line", ""},
    {"- a\n", "must be a mapping of keys to values", "harvest.yaml:1", "", ""},
    {"teachers: [a]\n", "'teachers' must be a mapping", "harvest.yaml:1, teachers", "",
     ""},
    {"teachers:\n  a: 3\n", "the teacher 'a' must be a mapping",
     "harvest.yaml:2, teachers.a", "", "indent"},
    {"teachers:\n  a:\n", "the teacher 'a' must be a mapping",
     "harvest.yaml:2, teachers.a", "", ""},
    {"teachers:\n  a:\n    urll: x\n", "unknown key 'urll'",
     "harvest.yaml:3, teachers.a.urll", "a teacher has no such setting",
     "did you mean 'url'?"},
    {"teachers:\n  a:\n    samples: 3\n", "unknown key 'samples'", "harvest.yaml:3",
     "belongs to the top level", ""},
    {"teachers:\n  a:\n    rpm: x\n", "'rpm' takes a whole number",
     "harvest.yaml:3, teachers.a.rpm", "", ""},
    {"teachers: {a: {params: 3}}\n", "'params' takes a mapping, not a single value",
     "harvest.yaml:1, teachers.a.params", "", ""},
    {"teachers: {a: {params: [x]}}\n", "'params' takes a mapping, not a list",
     "harvest.yaml:1", "", ""},
    {"teachers:\n  a:\n    params:\n      n: 4\n", "'params' cannot have 'n'",
     "harvest.yaml:4, teachers.a.params.n", "--samples", ""},
    {"teachers: {a: {params: {x: .nan}}}\n", "'.nan' has no form in JSON",
     "harvest.yaml:1", "", ""},
    {"teachers: {a: {training: perhaps}}\n",
     "'training' takes one of allowed, restricted, unknown", "harvest.yaml:1", "", ""},
    {"a: [\n", "not valid YAML", "harvest.yaml:2", "", ""},
};

static bool fits(const struct err *err, const struct refusal *refusal)
{
    return err->code == ERR_USAGE && strstr(err->what, refusal->what) != NULL &&
           strncmp(err->where, refusal->where, strlen(refusal->where)) == 0 &&
           strstr(err->why, refusal->why) != NULL &&
           strstr(err->fix, refusal->fix) != NULL;
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct config config;
        struct err err;
        scratch_write("harvest.yaml", refusals[i].yaml);
        assert_int_equal(load(&config, "status", &err), -1);
        if (!fits(&err, &refusals[i]))
            fail_msg("%s: %s | %s | %s | %s", refusals[i].yaml, err.what, err.where,
                     err.why, err.fix);
    }
}

static void test_files(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    assert_int_equal(load(&config, "run a.txt", &err), 0); /* no harvest.yaml is fine */
    assert_string_equal(config.store, "harvest.db");
    assert_int_equal(config.concurrency, 16);
    assert_int_equal(config.timeout_ms, 600000);
    assert_true(isnan(config.temperature));
    assert_int_equal(config.top_logprobs, -1);
    assert_false(config_is_set(&config, "concurrency"));
    config_clear(&config);
    assert_int_equal(load(&config, "run --config none.yaml a.txt", &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.where, "--config on the command line");
    setenv("HARVEST_CONFIG", ".", 1);
    assert_int_equal(load(&config, "run a.txt", &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.where, "environment variable HARVEST_CONFIG");
    unsetenv("HARVEST_CONFIG");
    scratch_write("harvest.yaml", "# nothing\n");
    scratch_write("other.yaml", "teachers:\n");
    assert_int_equal(load(&config, "run a.txt", &err), 0);
    config_clear(&config);
    assert_int_equal(load(&config, "run --config other.yaml", &err), 0);
    config_clear(&config);
    scratch_write("harvest.yaml", "broken: [\n");
    assert_int_equal(load(&config, "run --help", &err), 0); /* help does not need it */
    assert_true(config.help);
    config_clear(&config);
}

/* ---- precedence ------------------------------------------------------------------------- */

/* The file is that of test_precedence. */
static void check_places(const struct config *config, const struct teacher_conf *teacher)
{
    static const struct {
        const char *key, *where;
    } cases[] = {
        {"rpm", "harvest.yaml:8, teachers.q.rpm"},
        {"model", "harvest.yaml:3, model"},
        {"top_logprobs", "--top-logprobs on the command line"},
        {"key_file", "harvest.yaml:6, teachers.q"},
        {NULL, "harvest.yaml:6, teachers.q"},
    };
    char where[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config_where(config, teacher, cases[i].key, where, sizeof where);
        assert_string_equal(where, cases[i].where);
    }
    config_where(config, NULL, "store", where, sizeof where);
    assert_string_equal(where, "environment variable HARVEST_STORE");
    config_where(config, NULL, NULL, where, sizeof where);
    assert_string_equal(where, "command line");
}

static void test_precedence(void **state)
{
    (void)state;
    struct config config;
    struct teacher_conf teacher;
    struct err err;
    scratch_write("harvest.yaml", "store: file.db\nrpm: 10\nmodel: top\nmax_tokens: 5\n"
                                  "teachers:\n  q:\n    url: http://H:1/v1\n    rpm: 20\n"
                                  "    temperature: 0\n    params: {b: yes, a: 1}\n");
    setenv("HARVEST_STORE", "env.db", 1);
    assert_int_equal(load_teacher(&config, &teacher, "run --top-logprobs 0", &err), 0);
    assert_string_equal(config.store, "env.db");
    assert_string_equal(teacher.name, "q");
    assert_int_equal(teacher.line, 6);
    assert_string_equal(teacher.url, "http://h:1");
    assert_int_equal(teacher.rpm, 20);         /* stanza over top level */
    assert_string_equal(teacher.model, "top"); /* top level over default */
    assert_int_equal(teacher.max_tokens, 5);
    assert_int_equal(teacher.concurrency, 16);
    assert_true(teacher.temperature == 0);
    assert_int_equal(teacher.top_logprobs, 0);
    assert_string_equal(teacher.params, "{\"a\":1,\"b\":\"yes\"}");
    assert_string_equal(teacher.training, "unknown");
    assert_null(teacher.system);
    check_places(&config, &teacher);
    teacher_conf_clear(&teacher);
    config_clear(&config);
    setenv("HARVEST_RPM", "30", 1);
    setenv("HARVEST_MODEL", "env", 1);
    assert_int_equal(
        load_teacher(&config, &teacher, "run --model argv --store argv.db", &err), 0);
    assert_string_equal(config.store, "argv.db");
    assert_string_equal(teacher.model, "argv");
    assert_int_equal(teacher.rpm, 30);
    teacher_conf_clear(&teacher);
    config_clear(&config);
}

/* ---- which teacher, and where its key may go -------------------------------------------- */

static const char two_teachers[] = "teachers:\n"
                                   "  open:\n    url: http://127.0.0.1:8080\n"
                                   "  paid:\n    url: https://api.example.com/v1\n"
                                   "    key_file: ~/paid.key\n    system: be brief\n";

struct choice {
    const char *yaml, *line;
    const char *name, *url, *key_file; /* NULL: none */
    const char *refused;               /* part of the error; NULL: it works */
};

static const struct choice choices[] = {
    {"", "run", NULL, NULL, NULL, NULL},
    {"", "run --url http://h:9/v1", NULL, "http://h:9", NULL, NULL},
    {"", "run --url h:9", NULL, NULL, NULL, "'h:9' is no address"},
    {"", "run --teacher x", NULL, NULL, NULL, "no teacher named 'x'"},
    {"url: http://top\n", "run", NULL, "http://top", NULL, NULL},
    {"teacher: paid\nteachers: {paid: {url: http://a}, b: {}}", "run", "paid", "http://a",
     NULL, NULL},
    {two_teachers, "run", NULL, NULL, NULL, "which teacher is to be asked?"},
    {two_teachers, "run --teacher payd", NULL, NULL, NULL, "no teacher named 'payd'"},
    {two_teachers, "run --teacher open", "open", "http://127.0.0.1:8080", NULL, NULL},
    {two_teachers, "run --teacher open --url http://h", "open", "http://h", NULL, NULL},
    {two_teachers, "run --url http://h", NULL, "http://h", NULL, NULL},
    {two_teachers, "run --teacher paid", "paid", "https://api.example.com",
     "/home/me/paid.key", NULL},
    {two_teachers, "run --teacher paid --url https://API.example.com:443/other", "paid",
     "https://api.example.com/other", "/home/me/paid.key", NULL},
    {two_teachers, "run --teacher paid --url http://api.example.com", NULL, NULL, NULL,
     "key of teacher 'paid' does not go to http://api.example.com"},
    {two_teachers, "run --teacher paid --url https://api.example.com:444", NULL, NULL,
     NULL, "does not go to"},
    {two_teachers, "run --teacher paid --url https://api.example.com.evil", NULL, NULL,
     NULL, "does not go to"},
    {"teachers: {a: {url: 'https://a', key_env: K}}", "run --url https://b", NULL, NULL,
     NULL, "does not go to https://b"},
    {"teachers: {a: {key_env: K}}", "run --url https://b", NULL, NULL, NULL,
     "has a key but no url"},
    {"teachers: {a: {key_env: K}}", "run", NULL, NULL, NULL, "has a key but no url"},
    {"url: https://top\nteachers: {a: {key_file: /k}}", "run", "a", "https://top", "/k",
     NULL},
    {"teachers: {a: {key_file: ''}}", "run --url https://b", "a", "https://b", NULL,
     NULL},
    {"teachers: {a: {url: 'https://a', key_file: sub/k}}", "run", "a", "https://a",
     "sub/k", NULL},
    {"teachers: {a: {url: 'https://a', terms_date: 2026-1-1}}", "run", NULL, NULL, NULL,
     "'terms_date' takes a date"},
    {"teachers: {a: {url: 'https://a', terms_date: 2026-11-01}}", "run", "a", "https://a",
     NULL, NULL},
};

static bool same(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void test_choices(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        const struct choice *choice = &choices[i];
        struct config config;
        struct teacher_conf teacher;
        struct err err;
        scratch_write("harvest.yaml", choice->yaml);
        int result = load_teacher(&config, &teacher, choice->line, &err);
        bool good = choice->refused == NULL
                        ? result == 0 && same(teacher.name, choice->name) &&
                              same(teacher.url, choice->url) &&
                              same(teacher.key_file, choice->key_file)
                        : result == -1 && err.code == ERR_USAGE &&
                              strstr(err.what, choice->refused) != NULL;
        if (!good)
            fail_msg("%s: %s: %s %s %s %s", choice->yaml, choice->line, err.what,
                     teacher.name, teacher.url, teacher.key_file);
        teacher_conf_clear(&teacher);
        config_clear(&config);
    }
}

/* A key file lies beside the configuration that names it. */
static void test_key_beside_file(void **state)
{
    (void)state;
    struct config config;
    struct teacher_conf teacher;
    struct err err;
    assert_int_equal(mkdir("etc", 0700), 0);
    scratch_write("etc/h.yaml", "teachers: {a: {url: 'http://a', key_file: a.key}}\n");
    assert_int_equal(
        load_teacher(&config, &teacher, "run --config etc/h.yaml --system ''", &err), 0);
    assert_string_equal(teacher.key_file, "etc/a.key");
    assert_null(teacher.system);
    teacher_conf_clear(&teacher);
    config_clear(&config);
}

/* ---- documents -------------------------------------------------------------------------- */

/* Every example names a command and options that are taken. */
static void check_examples(const char *text, const char *mark, unsigned *count)
{
    for (const char *p = strstr(text, mark); p != NULL; p = strstr(p + 1, mark)) {
        const char *line = p + strlen(mark);
        char *copy = mem_format("%.*s", (int)strcspn(line, "\n"), line);
        char *harvest = strstr(copy, "harvest ");
        assert_non_null(harvest);
        struct config config;
        struct err err;
        if (strcmp(harvest, "harvest help") != 0) {
            if (load(&config, harvest + strlen("harvest "), &err) != 0)
                fail_msg("%s: %s", copy, err.what);
            config_clear(&config);
        }
        ++*count;
        free(copy);
    }
}

static char *read_source(const char *name)
{
    const char *top = getenv("srcdir");
    char *path = mem_format("%s/%s", top == NULL ? "." : top, name);
    char *text = scratch_read(path);
    if (text == NULL)
        fail_msg("cannot read %s", path);
    free(path);
    return text;
}

static void test_option_examples(void **state)
{
    (void)state;
    unsigned count = 0;
    size_t n;
    char *text = read_source("doc/options.txt");
    scratch_write("nightly.yaml", "");
    check_examples(text, "\nExample: ", &count);
    free(text);
    config_rows(&n);
    assert_true(count >= n);
}

static void test_command_examples(void **state)
{
    (void)state;
    size_t n;
    const struct command *commands = command_all(&n);
    for (size_t i = 0; i < n; i++) {
        unsigned count = 0;
        char *lines = mem_format("\n%s", commands[i].examples);
        check_examples(lines, "\n", &count);
        free(lines);
        if (count == 0)
            fail_msg("%s has no example", commands[i].name);
    }
}

static void test_example_file(void **state)
{
    (void)state;
    struct config config;
    struct teacher_conf teacher;
    struct err err;
    char *text = read_source("doc/examples/harvest.yaml");
    scratch_write("harvest.yaml", text);
    free(text);
    if (load(&config, "run", &err) != 0)
        fail_msg("%s, %s", err.what, err.where);
    for (size_t i = 0; i < config.n_teachers; i++) {
        free(config.teacher);
        config.teacher = mem_str(config.teachers[i].name);
        if (config_teacher(&config, &teacher, &err) != 0)
            fail_msg("%s, %s", err.what, err.where);
        teacher_conf_clear(&teacher);
    }
    assert_true(config.n_teachers > 0);
    config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, enter, leave),
        cmocka_unit_test_setup_teardown(test_files, enter, leave),
        cmocka_unit_test_setup_teardown(test_precedence, enter, leave),
        cmocka_unit_test_setup_teardown(test_choices, enter, leave),
        cmocka_unit_test_setup_teardown(test_key_beside_file, enter, leave),
        cmocka_unit_test_setup_teardown(test_option_examples, enter, leave),
        cmocka_unit_test_setup_teardown(test_command_examples, enter, leave),
        cmocka_unit_test_setup_teardown(test_example_file, enter, leave),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
