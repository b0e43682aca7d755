/* SPDX-License-Identifier: MIT */
#include "export/sink.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static void hash_hex(const char *text, char hex[SHA256_HEX + 1])
{
    unsigned char digest[SHA256_BYTES];
    struct sha256 *sha = sha256_new();
    sha256_add(sha, text, strlen(text));
    sha256_end(sha, digest);
    sha256_free(sha);
    hex_encode(digest, sizeof digest, hex);
}

struct shards_case {
    int rows; /* of ten bytes each */
    int64_t size;
    const char *names;
    uint64_t last; /* rows of the last shard */
};

#define SHARD(i, n) "train-0000" #i "-of-0000" #n ".jsonl "

static const struct shards_case cases[] = {
    {1, 100, SHARD(0, 1), 1},
    {3, 30, SHARD(0, 1), 3},
    {3, 31, SHARD(0, 1), 3},
    {4, 30, SHARD(0, 2) SHARD(1, 2), 1},
    {4, 15, SHARD(0, 2) SHARD(1, 2), 2},
    {3, 1, SHARD(0, 3) SHARD(1, 3) SHARD(2, 3), 1},
    {0, 100, "", 0},
};

/* All shards one after the other are the rows, and each is what is said of it. */
static void expect_shards(const char *directory, const struct sink *sink, const char *all)
{
    size_t n;
    const struct shard *shards = sink_shards(sink, &n);
    for (size_t i = 0; i < n; i++) {
        char name[128], hex[SHA256_HEX + 1];
        sink_name(sink, i, name, sizeof name);
        char *path = mem_format("%s/%s", directory, name), *text = scratch_read(path);
        assert_non_null(text);
        assert_int_equal(shards[i].bytes, strlen(text));
        assert_int_equal(shards[i].bytes, shards[i].rows * 10);
        assert_memory_equal(text, all, shards[i].bytes);
        all += shards[i].bytes;
        hash_hex(text, hex);
        assert_string_equal(shards[i].sha256, hex);
        free(text);
        free(path);
    }
    assert_string_equal(all, "");
}

static void test_shards(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        struct sink *sink;
        struct buf all;
        buf_init(&all, 1000);
        char *directory = mem_format("%s/%zu", (char *)*state, i);
        char *data = mem_format("%s/data", directory);
        assert_int_equal(mkdir(directory, 0777), 0);
        assert_int_equal(sink_open(directory, ".jsonl", cases[i].size, &sink, &err), 0);
        for (int row = 0; row < cases[i].rows; row++) {
            buf_format(&all, "row %05d\n", row);
            struct span last = {all.p + all.n - 10, 10};
            assert_int_equal(sink_row(sink, last, &err), 0);
        }
        assert_int_equal(sink_finish(sink, &err), 0);
        char *names = scratch_names(data);
        assert_string_equal(names, cases[i].names);
        expect_shards(directory, sink, buf_view(&all).p);
        size_t n;
        const struct shard *shards = sink_shards(sink, &n);
        if (n > 0)
            assert_int_equal(shards[n - 1].rows, cases[i].last);
        sink_close(sink);
        free(names);
        free(data);
        free(directory);
        buf_clear(&all);
    }
    sink_close(NULL);
}

/* Rows longer than the buffer, and more than the buffer holds. */
static void test_large(void **state)
{
    enum { LARGE = 3 << 20 };
    struct err err = {0};
    struct sink *sink;
    char *row = mem_new(LARGE + 1);
    memset(row, 'x', LARGE);
    assert_int_equal(sink_open(*state, ".jsonl", 1 << 30, &sink, &err), 0);
    assert_int_equal(sink_row(sink, span_of(row), &err), 0);
    row[1000] = '\0';
    for (int i = 0; i < 2500; i++)
        assert_int_equal(sink_row(sink, span_of(row), &err), 0);
    assert_int_equal(sink_finish(sink, &err), 0);
    char *path = mem_format("%s/data/train-00000-of-00001.jsonl", (char *)*state);
    char *text = scratch_read(path), hex[SHA256_HEX + 1];
    assert_int_equal(strlen(text), LARGE + 2500 * 1000);
    size_t n;
    hash_hex(text, hex);
    assert_string_equal(sink_shards(sink, &n)->sha256, hex);
    sink_close(sink);
    free(text);
    free(path);
    free(row);
}

static void fill_disk(const char *directory)
{
    struct err err = {0};
    struct sink *sink;
    const struct rlimit limit = {2 << 20, 2 << 20};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    char row[1001] = "";
    memset(row, 'x', sizeof row - 1);
    bool good = sink_open(directory, ".jsonl", 1 << 30, &sink, &err) == 0;
    int written = 0;
    for (; good && written < 5000; written++)
        good = sink_row(sink, span_of(row), &err) == 0;
    _exit(good || written < 2000 || err.code != ERR_STORAGE || err.fix[0] == '\0');
}

/* The limit on a file's size stands for a disk that is full. */
static void test_full(void **state)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        fill_disk(*state);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_no_directory(void **state)
{
    struct err err = {0};
    struct sink *sink = NULL;
    char *missing = mem_format("%s/missing", (char *)*state);
    assert_int_equal(sink_open(missing, ".jsonl", 1, &sink, &err), -1);
    assert_int_equal(err.code, ERR_STORAGE);
    assert_null(sink);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shards, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_large, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_full, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_no_directory, scratch_make, scratch_remove),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
