/* SPDX-License-Identifier: MIT */
#include "export/publish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

#define OURS "{\"type\":\"harvest-dataset\"}\n"

/* A path below the scratch directory, to be freed. */
static char *below(void **state, const char *name)
{
    return mem_format("%s/%s", (char *)*state, name);
}

static void expect_names(const char *path, const char *expected)
{
    char *names = scratch_names(path);
    assert_string_equal(names, expected);
    free(names);
}

static void expect_file(const char *directory, const char *name, const char *expected)
{
    char *path = mem_format("%s/%s", directory, name), *text = scratch_read(path);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    free(path);
}

static void put(const char *directory, const char *name, const char *text)
{
    char *path = mem_format("%s/%s", directory, name);
    scratch_write(path, text);
    free(path);
}

/* What an export leaves in a directory; the text tells one dataset from another. */
static void fill(const char *directory, const char *text)
{
    char *data = mem_format("%s/data", directory);
    mkdir(data, 0777);
    put(data, "train-00000-of-00001.jsonl", text);
    put(directory, "manifest.json", OURS);
    free(data);
}

static void publish(const char *dir, const char *text, const char *kept)
{
    struct err err = {0};
    struct publish *made;
    assert_int_equal(publish_open(dir, &made, &err), 0);
    fill(publish_path(made), text);
    if (publish_commit(made, &err) != 0)
        fail_msg("%s", err.what);
    assert_string_equal(publish_kept(made), kept);
    publish_close(made);
}

static void expect_refusal(const char *dir, enum err_code code)
{
    struct err err = {0};
    struct publish *made = NULL;
    assert_int_equal(publish_open(dir, &made, &err), -1);
    assert_int_equal(err.code, code);
    assert_null(made);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_absent_then_ours(void **state)
{
    char *dir = below(state, "set");
    publish(dir, "one", "");
    expect_file(dir, "data/train-00000-of-00001.jsonl", "one");
    chmod(dir, 02750);
    publish(dir, "two", "");
    expect_file(dir, "data/train-00000-of-00001.jsonl", "two");
    assert_int_equal(mode_of(dir), 02750);
    expect_names(dir, "data manifest.json ");
    expect_names(*state, "set ");
    free(dir);
}

static void test_empty(void **state)
{
    char *dir = below(state, "set");
    mkdir(dir, 0700);
    publish(dir, "one", "");
    assert_int_equal(mode_of(dir), 0700);
    expect_file(dir, "data/train-00000-of-00001.jsonl", "one");
    expect_names(*state, "set ");
    free(dir);
}

/* The same directory under names that need some thought. */
static void test_spellings(void **state)
{
    char *dir = below(state, "set"), *link = below(state, "link");
    assert_int_equal(symlink("set", link), 0);
    assert_int_equal(chdir(*state), 0);
    static const char *const names[] = {"set/", "set", "./set", "link", "link/", "set//"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        publish(names[i], names[i], "");
        expect_file(dir, "data/train-00000-of-00001.jsonl", names[i]);
        expect_names(*state, "link set ");
    }
    assert_int_equal(chdir(dir), 0);
    publish(".", "dot", "");
    assert_int_equal(chdir("/"), 0);
    expect_file(dir, "data/train-00000-of-00001.jsonl", "dot");
    free(link);
    free(dir);
}

static void test_refused(void **state)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"notes.txt", "mine"},
        {"manifest.json", "{\"type\":\"something-else\"}"},
        {"manifest.json", "{\"type\":7}"},
        {"manifest.json", "harvest-dataset"},
        {".hidden", ""},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *dir = mem_format("%s/%zu", (char *)*state, i);
        mkdir(dir, 0777);
        put(dir, files[i].name, files[i].text);
        expect_refusal(dir, ERR_USAGE);
        expect_file(dir, files[i].name, files[i].text);
        free(dir);
    }
    char *file = below(state, "file"), *missing = below(state, "no/set");
    put(*state, "file", "x");
    expect_refusal(file, ERR_USAGE);
    expect_refusal(missing, ERR_STORAGE);
    expect_refusal("/", ERR_USAGE);
    expect_refusal("", ERR_STORAGE);
    expect_names(*state, "0 1 2 3 4 file ");
    free(file);
    free(missing);
}

static void test_two_at_once(void **state)
{
    struct err err = {0};
    struct publish *first;
    char *dir = below(state, "set");
    assert_int_equal(publish_open(dir, &first, &err), 0);
    expect_refusal(dir, ERR_LOCKED);
    fill(publish_path(first), "one");
    assert_int_equal(publish_commit(first, &err), 0);
    publish_close(first);
    expect_file(dir, "data/train-00000-of-00001.jsonl", "one");
    expect_names(*state, "set ");
    free(dir);
}

static void test_given_up(void **state)
{
    struct err err = {0};
    struct publish *made;
    char *dir = below(state, "set");
    publish(dir, "one", "");
    assert_int_equal(publish_open(dir, &made, &err), 0);
    fill(publish_path(made), "two");
    publish_close(made);
    publish_close(NULL);
    expect_file(dir, "data/train-00000-of-00001.jsonl", "one");
    expect_names(*state, "set ");
    free(dir);
}

/* What a killed export has left is gone after the next one. */
static void test_left_behind(void **state)
{
    char *dir = below(state, "set"), *rest = below(state, ".set.harvest-tmp");
    mkdir(rest, 0777);
    fill(rest, "rest");
    put(rest, "data/train-00001.part", "");
    put(rest, "data/train-123456-of-123457.jsonl", "");
    put(rest, "manifest.json.77-0.tmp", "");
    put(rest, "seen.tmp", "");
    publish(dir, "one", "");
    expect_names(*state, "set ");
    free(rest);
    free(dir);
}

/* What somebody put into a dataset outlives it. */
static void test_kept(void **state)
{
    char *dir = below(state, "set"), *first = below(state, "set.kept-1");
    char *second = below(state, "set.kept-2"), *rest = below(state, ".set.harvest-tmp");
    char *real = realpath(*state, NULL);
    char *first_real = mem_format("%s/set.kept-1", real);
    publish(dir, "one", "");
    put(dir, "README.md", "mine");
    put(dir, "data/train-00000-of-00001.jsonl.bak", "mine too");
    publish(dir, "two", first_real);
    expect_names(dir, "data manifest.json ");
    expect_names(first, "README.md data ");
    expect_file(first, "data/train-00000-of-00001.jsonl.bak", "mine too");
    mkdir(rest, 0777);
    put(rest, "odd", "?");
    char *second_real = mem_format("%s/set.kept-2", real);
    publish(dir, "three", second_real);
    expect_file(second, "odd", "?");
    expect_names(*state, "set set.kept-1 set.kept-2 ");
    free(second_real);
    free(first_real);
    free(real);
    free(rest);
    free(second);
    free(first);
    free(dir);
}

/* Somebody uses the name while the export is being written. */
static void test_taken_meanwhile(void **state)
{
    struct err err = {0};
    struct publish *made;
    char *dir = below(state, "set");
    assert_int_equal(publish_open(dir, &made, &err), 0);
    fill(publish_path(made), "one");
    mkdir(dir, 0777);
    put(dir, "notes.txt", "mine");
    assert_int_equal(publish_commit(made, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    publish_close(made);
    expect_file(dir, "notes.txt", "mine");
    expect_names(*state, "set ");
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_absent_then_ours, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_empty, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_spellings, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_refused, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_two_at_once, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_given_up, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_left_behind, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_kept, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_taken_meanwhile, scratch_make,
                                        scratch_remove),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
