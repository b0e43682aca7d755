/* SPDX-License-Identifier: MIT */
/* An export is killed before every system call that changes a file, one after the other:
 * what is there then must be the old dataset or the new one, and the next export must
 * leave nothing else behind. */
#include "export/export.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/sample.h"
#include "tests/unit/scratch.h"

static const struct sample samples[] = {
    {.prompt = "a", .answer = "One.", .outcome = OUTCOME_ANSWERED, .finish = FINISH_STOP},
    {.prompt = "b", .answer = "Two.", .outcome = OUTCOME_ANSWERED, .finish = FINISH_STOP},
    {.prompt = "c",
     .answer = "Thr",
     .outcome = OUTCOME_ANSWERED,
     .finish = FINISH_LENGTH},
};

struct place {
    char *top, *store, *shelf, *out;
};

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    void *top;
    *state = place;
    if (scratch_make(&top) != 0)
        return -1;
    place->top = top;
    place->store = mem_format("%s/h.db", place->top);
    place->shelf = mem_format("%s/shelf", place->top);
    place->out = mem_format("%s/set", place->shelf);
    mkdir(place->shelf, 0777);
    sample_store(place->store, samples, 3);
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    void *top = place->top;
    free(place->store);
    free(place->shelf);
    free(place->out);
    free(place);
    return scratch_remove(&top);
}

static int run(const struct place *place, bool keep)
{
    struct err err = {0};
    struct export_counts counts;
    struct store *store = sample_open(place->store);
    const struct export_options options = {
        .dir = place->out,
        .format = "jsonl",
        .shard_bytes = 300,
        .keep = keep,
        .version = "1",
    };
    int result = export_run(store, &options, &counts, &err);
    store_close(store);
    return result;
}

static bool changes_files(uint64_t number, const uint64_t *args)
{
    if (number == SYS_openat)
        return (args[2] & O_CREAT) != 0;
    static const uint64_t calls[] = {
#ifdef SYS_rename /* newer kinds of machines have the ones with -at alone */
        SYS_rename,   SYS_unlink, SYS_rmdir,     SYS_mkdir,
#endif
        SYS_write,    SYS_fsync,  SYS_ftruncate, SYS_fchmod,   SYS_pwrite64,
        SYS_renameat, SYS_flock,  SYS_mkdirat,   SYS_unlinkat, SYS_renameat2,
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (number == calls[i])
            return true;
    return false;
}

static pid_t start_traced(const struct place *place)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(2);
        raise(SIGSTOP);
        _exit(run(place, true) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        skip(); /* where nobody may trace */
    assert_true(WIFSTOPPED(status));
    ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    return child;
}

/* Kills an export before its call number `calls`. False: it had ended before. */
static bool kill_at(const struct place *place, int calls)
{
    pid_t child = start_traced(place);
    for (;;) {
        struct __ptrace_syscall_info info;
        int status;
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
        assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
        ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
            changes_files(info.entry.nr, (const uint64_t *)info.entry.args) &&
            calls-- == 0) {
            kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
            return true;
        }
    }
}

static char *read_below(const struct place *place, const char *name)
{
    char *path = mem_format("%s/%s", place->out, name), *text = scratch_read(path);
    free(path);
    return text;
}

/* Everything in the dataset, one file after the other; NULL: it is not there. */
static char *read_all(const struct place *place)
{
    char *data = mem_format("%s/data", place->out);
    char *manifest = read_below(place, "manifest.json");
    char *names = scratch_names(data), *top = scratch_names(place->out);
    char *all = manifest == NULL ? NULL : mem_format("%s%s%s", top, names, manifest);
    free(top);
    free(names);
    free(manifest);
    free(data);
    return all;
}

static void expect_clean(const struct place *place, const char *expected)
{
    assert_int_equal(run(place, true), 0);
    char *all = read_all(place), *names = scratch_names(place->shelf);
    assert_string_equal(all, expected);
    assert_string_equal(names, "set ");
    free(names);
    free(all);
}

static void test_over_old(void **state)
{
    struct place *place = *state;
    assert_int_equal(run(place, true), 0);
    char *new = read_all(place);
    assert_int_equal(run(place, false), 0);
    char *old = read_all(place);
    assert_string_not_equal(old, new);
    int olds = 0, news = 0, calls = 0;
    while (kill_at(place, calls++)) {
        char *all = read_all(place);
        assert_non_null(all);
        bool is_old = strcmp(all, old) == 0;
        if (!is_old)
            assert_string_equal(all, new);
        *(is_old ? &olds : &news) += 1;
        free(all);
        expect_clean(place, new);
        assert_int_equal(run(place, false), 0);
    }
    assert_in_range(olds, 15, 1000);
    assert_in_range(news, 5, 1000); /* the old one is being removed */
    print_message("# killed %d times before the step and %d times after it\n", olds,
                  news);
    free(old);
    free(new);
}

static void test_first(void **state)
{
    struct place *place = *state;
    assert_int_equal(run(place, true), 0);
    char *new = read_all(place);
    int calls = 0;
    do {
        void *out = mem_str(place->out);
        assert_int_equal(scratch_remove(&out), 0);
        bool killed = kill_at(place, calls++);
        char *all = read_all(place);
        if (all == NULL)
            assert_int_not_equal(access(place->out, F_OK), 0);
        else
            assert_string_equal(all, new);
        free(all);
        expect_clean(place, new);
        if (!killed)
            break;
    } while (calls < 1000);
    assert_in_range(calls, 15, 999);
    free(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_over_old, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("export_kill", tests, NULL, NULL);
}
