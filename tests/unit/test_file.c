/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static int make_directory(void **state)
{
    char *directory = mem_str("/tmp/test_file.XXXXXX");
    *state = directory;
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    char *directory = *state, *file = mem_format("%s/file", directory);
    unlink(file);
    int result = rmdir(directory); /* fails when a temporary file was left behind */
    free(file);
    free(directory);
    return result;
}

static void test_publish_and_read(void **state)
{
    char *path = mem_format("%s/file", (char *)*state);
    static const char *const texts[] = {"first", "", "a much longer second text"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err err = {0};
        assert_int_equal(file_publish(path, span_of(texts[i]), &err), 0);
        struct buf read;
        buf_init(&read, 1000);
        buf_text(&read, ">");
        assert_int_equal(file_read(path, 25, &read, &err), 0);
        assert_int_equal(read.p[0], '>');
        assert_string_equal(read.p + 1, texts[i]);
        buf_clear(&read);
    }
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(about.st_mode & 0777, 0666 & ~mask);
    free(path);
}

static void test_too_long(void **state)
{
    char *path = mem_format("%s/file", (char *)*state);
    struct err err = {0};
    assert_int_equal(file_publish(path, SPAN_LITERAL("0123456789"), &err), 0);
    struct buf read;
    buf_init(&read, 1000);
    assert_int_equal(file_read(path, 9, &read, &err), -1);
    assert_int_equal(err.code, ERR_STORAGE);
    assert_non_null(strstr(err.what, path));
    assert_non_null(strstr(err.what, "longer than 9 bytes"));
    assert_int_equal(read.n, 0);
    buf_clear(&read);
    free(path);
}

static void test_errors(void **state)
{
    char *missing = mem_format("%s/no/file", (char *)*state);
    struct buf read;
    buf_init(&read, 1000);
    struct err err = {0};
    assert_int_equal(file_read(missing, 10, &read, &err), -1);
    assert_int_equal(err.code, ERR_STORAGE);
    assert_non_null(strstr(err.what, missing));
    assert_non_null(strstr(err.what, "No such file"));
    assert_true(err.fix[0] != '\0');

    err = (struct err){0};
    assert_int_equal(file_publish(missing, SPAN_LITERAL("x"), &err), -1);
    assert_non_null(strstr(err.what, missing));

    err = (struct err){0};
    assert_int_equal(file_read(*state, 10, &read, &err), -1); /* a directory */
    assert_non_null(strstr(err.what, "directory"));

    err = (struct err){0};
    assert_int_equal(file_sync_directory(missing, &err), -1);
    err = (struct err){0};
    assert_int_equal(file_sync_directory(*state, &err), 0);
    buf_clear(&read);
    free(missing);
}

/* A directory in the way of the name: the temporary file goes (see remove_directory). */
static void test_publish_fails_cleanly(void **state)
{
    char *path = mem_format("%s/directory", (char *)*state);
    assert_int_equal(mkdir(path, 0777), 0);
    struct err err = {0};
    assert_int_equal(file_publish(path, SPAN_LITERAL("x"), &err), -1);
    assert_int_equal(err.code, ERR_STORAGE);
    assert_int_equal(rmdir(path), 0);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish_and_read),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_publish_fails_cleanly),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("file", tests, make_directory, remove_directory);
}
