/* SPDX-License-Identifier: MIT */
/* Opening: what is no store, whose store it is, and what the disk says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/private.h"
#include "tests/unit/asker.h"
#include "tests/unit/scratch.h"

static const enum store_mode modes[] = {STORE_READ, STORE_WRITE, STORE_CREATE};

/* Opening fails with the code; what names the path, and the other parts are there. */
static struct err refused(const char *path, enum store_mode mode, enum err_code code)
{
    struct err err = {0};
    struct store *store = NULL;
    int rc = store_open(path, mode, &store, &err);
    if (rc == 0 || err.code != code)
        print_message("# mode %d: %s\n", mode, err.what);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, code);
    assert_null(store);
    const char *name = strrchr(path, '/');
    assert_non_null(strstr(err.what, name == NULL ? path : name + 1));
    return err;
}

static void make_store(const char *path)
{
    struct asker *a = asker_open(path);
    asker_plan(a, 0, 2000, false);
    asker_answer(a, 1, "hello", FINISH_STOP);
    asker_close(a);
}

/* ---- what is there ---- */

static void test_none(void **state)
{
    char *path = asker_path(state);
    struct err err = refused(path, STORE_READ, ERR_NO_STORE);
    assert_true(err.fix[0] != '\0');
    refused(path, STORE_WRITE, ERR_NO_STORE);
    char *names = scratch_names(*state);
    assert_string_equal(names, ""); /* not even a lock */
    free(names);
    char *deeper = mem_format("%s/no/store.db", (char *)*state);
    refused(deeper, STORE_READ, ERR_NO_STORE);
    refused(deeper, STORE_CREATE, ERR_STORAGE);
    for (size_t i = 0; i < 3; i++)
        refused(*state, modes[i], ERR_STORAGE); /* a directory */
    free(deeper);
    free(path);
}

/* Somebody made the file, or we were killed before the schema was there. */
static void test_empty(void **state)
{
    char *path = asker_path(state);
    scratch_write(path, "");
    refused(path, STORE_READ, ERR_NO_STORE);
    refused(path, STORE_WRITE, ERR_NO_STORE);
    make_store(path);
    struct err err = {0};
    struct store *store;
    assert_int_equal(store_open(path, STORE_READ, &store, &err), 0);
    assert_sql(store, "SELECT count(*) FROM request", "2000");
    store_close(store);
    free(path);
}

static void test_foreign(void **state)
{
    char *path = asker_path(state);
    scratch_write(path, "This is the diary of somebody, not a database of any kind.\n"
                        "It is long enough to hold a header of 100 bytes, and more.\n");
    for (size_t i = 0; i < 3; i++)
        refused(path, modes[i], ERR_DAMAGED);
    char *text = scratch_read(path);
    assert_memory_equal(text, "This is the diary", 17);
    free(text);
    unlink(path);

    sqlite3 *db; /* somebody else's database, which counts its versions too */
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db,
                 "CREATE TABLE song(name); INSERT INTO song VALUES('la');"
                 "PRAGMA user_version = 1",
                 NULL, NULL, NULL);
    sqlite3_close(db);
    char *before = scratch_read(path);
    for (size_t i = 0; i < 3; i++)
        refused(path, modes[i], ERR_DAMAGED);
    text = scratch_read(path);
    assert_memory_equal(text, before, 8192);
    free(before);
    free(text);
    free(path);
}

static void change_version(const char *path, int version)
{
    sqlite3 *db;
    char *sql = mem_format("PRAGMA user_version = %d", version);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(sql);
}

static void test_newer(void **state)
{
    char *path = asker_path(state);
    make_store(path);
    change_version(path, SCHEMA_VERSION + 1);
    for (size_t i = 0; i < 3; i++) {
        struct err err = refused(path, modes[i], ERR_NEWER);
        assert_non_null(strstr(err.safe, "not changed"));
    }
    change_version(path, SCHEMA_VERSION);
    make_store(path);
    free(path);
}

static void test_truncated(void **state)
{
    char *path = asker_path(state);
    make_store(path);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    for (off_t size = about.st_size - PAGE_BYTES; size > 0; size -= 5 * PAGE_BYTES) {
        assert_int_equal(truncate(path, size), 0);
        for (size_t i = 0; i < 3; i++) {
            struct err err = refused(path, modes[i], ERR_DAMAGED);
            assert_true(err.fix[0] != '\0');
        }
    }
    free(path);
}

/* ---- whose it is ---- */

/* A child that holds the store until it is killed. */
static pid_t hold(const char *path)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        asker_open(path);
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void test_lock(void **state)
{
    char *path = asker_path(state), *link = mem_format("%s/other.db", (char *)*state);
    make_store(path);
    assert_int_equal(symlink("store.db", link), 0);
    pid_t pid = hold(path);
    char *holder = mem_format("process %ld on ", (long)pid);
    for (size_t i = 1; i < 3; i++) {
        struct err err = refused(path, modes[i], ERR_LOCKED);
        assert_non_null(strstr(err.why, holder));
        assert_non_null(strstr(err.where, "store.db.lock"));
    }
    struct err err = {0};
    struct store *store;
    assert_int_equal(store_open(link, STORE_WRITE, &store, &err), -1);
    assert_int_equal(err.code, ERR_LOCKED); /* by any name */
    err = (struct err){0};
    assert_int_equal(store_open(path, STORE_READ, &store, &err), 0); /* reading goes on */
    assert_sql(store, "SELECT count(*) FROM answer", "1");
    store_close(store);
    /* A holder that is gone holds nothing, whatever the file says. */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    make_store(path);
    free(holder);
    free(link);
    free(path);
}

/* What was committed is seen at the next statement; what was not never is. */
static void test_read_while_writing(void **state)
{
    char *path = asker_path(state);
    struct asker *a = asker_open(path);
    struct err err = {0};
    struct store *reader;
    assert_int_equal(store_open(path, STORE_READ, &reader, &err), 0);
    asker_plan(a, 0, 10, false);
    assert_sql(reader, "SELECT count(*) FROM request", "10");
    asker_begin(a);
    int64_t attempt;
    assert_int_equal(store_sent(a->store, a->run, 1, 2000, &attempt, &err), 0);
    struct store_counts counts;
    assert_int_equal(store_count(reader, &counts, &err), 0);
    assert_int_equal(counts.in_flight, 0);
    asker_commit(a);
    assert_int_equal(store_count(reader, &counts, &err), 0);
    assert_int_equal(counts.in_flight, 1);
    store_close(reader);
    asker_close(a);
    free(path);
}

/* Opens, counts and walks until the store says that it is done. */
static void read_along(const char *path)
{
    struct err err = {0};
    struct store_counts counts = {0};
    do {
        struct store *store;
        struct cursor *cursor;
        const struct row *row;
        uint64_t rows = 0;
        if (store_open(path, STORE_READ, &store, &err) != 0 ||
            store_count(store, &counts, &err) != 0 ||
            cursor_open(store, NULL, &cursor, &err) != 0)
            break;
        while (cursor_next(cursor, &row, &err) == 0 && row != NULL)
            rows++;
        cursor_close(cursor);
        store_close(store);
        if (rows < counts.answered || counts.attempts != counts.answered)
            err_set(&err, ERR_INTERNAL, "%d rows", (int)rows);
    } while (err.code == ERR_NONE && counts.planned > 0);
    if (err.code != ERR_NONE)
        err_print(&err, stderr, false);
    _exit(err.code == ERR_NONE ? 0 : 1);
}

/* SQLite before 3.51.3 can lose transactions when one connection checkpoints while another
 * commits: with one writer, who alone checkpoints, and very often here, none is lost. */
static void test_readers_and_checkpoints(void **state)
{
    enum { READERS = 2, ANSWERS = 300 };
    char *path = asker_path(state);
    make_store(path);
    pid_t pids[READERS];
    for (int i = 0; i < READERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            read_along(path);
    }
    struct asker *a = asker_open(path);
    struct err err = {0};
    store_execute(a->store, "PRAGMA wal_autocheckpoint = 5", &err);
    for (int64_t i = 2; i <= ANSWERS; i++)
        asker_answer(a, i, "hello", FINISH_STOP);
    store_execute(a->store, "DELETE FROM request WHERE id > 300", &err); /* all is done */
    asker_close(a);
    for (int i = 0; i < READERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    a = asker_open(path);
    assert_int_equal(asker_count(a).answered, ANSWERS);
    assert_int_equal(asker_count(a).attempts, ANSWERS);
    assert_sql(a->store, "PRAGMA integrity_check", "ok");
    asker_close(a);
    free(path);
}

/* ---- how it is kept ---- */

static void test_pragmas(void **state)
{
    char *path = asker_path(state);
    make_store(path);
    struct asker *a = asker_open(path);
    assert_sql(a->store, "PRAGMA journal_mode", "wal");
    assert_sql(a->store, "PRAGMA synchronous", "2");
    assert_sql(a->store, "PRAGMA page_size", "16384");
    assert_sql(a->store, "PRAGMA foreign_keys", "1");
    assert_sql(a->store, "PRAGMA trusted_schema", "0");
    assert_sql(a->store, "PRAGMA wal_autocheckpoint", "4000");
    assert_sql(a->store, "PRAGMA application_id", "1752331891");
    assert_sql(a->store, "PRAGMA user_version", "1");
    assert_sql(a->store, "PRAGMA foreign_key_check", "");
    assert_sql(a->store, "PRAGMA integrity_check", "ok");
    asker_close(a);
    char *names = scratch_names(*state); /* a clean end leaves one file and the lock */
    assert_string_equal(names, "store.db store.db.lock ");
    free(names);
    /* Somebody changed the mode with another tool. */
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL),
                     0);
    sqlite3_close(db);
    a = asker_open(path);
    assert_sql(a->store, "PRAGMA journal_mode", "wal");
    asker_close(a);
    free(path);
}

/* Every name that C has for a number is in the views, under that number. */
static void test_words(void **state)
{
    char *path = asker_path(state);
    make_store(path);
    struct asker *a = asker_open(path);
    assert_sql(a->store,
               "SELECT group_concat(n) FROM (SELECT noun || count(*) AS n FROM word"
               " GROUP BY noun)",
               "finish6,flag10,kind5,outcome8,reason20,track4");
    assert_sql(a->store, "SELECT name FROM word WHERE noun = 'reason' AND value = 17",
               "killed");
    assert_sql(a->store, "SELECT name FROM word WHERE noun = 'flag' AND value = 64",
               "body_whole");
    assert_sql(a->store, "SELECT name FROM word WHERE noun = 'track' AND value = 3",
               "prompt");
    assert_sql(a->store,
               "SELECT finish_reason || '|' || teacher || '|' || model_served || '|' ||"
               " licence FROM answers a WHERE request = 1 AND flags IS NULL"
               " AND key = (SELECT key FROM requests r WHERE r.id = a.request)",
               "stop|127.0.0.1:8080|smol-135m-q4|apache-2.0");
    asker_close(a);
    free(path);
}

static const struct migration migrations[] = {
    {1, "THIS IS NOT RUN"},
    {2, "CREATE TABLE later(x); INSERT INTO later VALUES(42)"},
    {3, "ALTER TABLE later ADD COLUMN y"},
};

/* A later version will add steps: each is one transaction, after a copy of all. */
static void test_migration(void **state)
{
    char *path = asker_path(state), *backup = mem_format("%s.before-3", path);
    make_store(path);
    struct err err = {0};
    struct asker *a = asker_open(path);
    assert_int_equal(store_migrate(a->store, 1, migrations, 3, &err), 0);
    assert_sql(a->store, "SELECT x || ifnull(y, '-') FROM later", "42-");
    assert_sql(a->store, "PRAGMA user_version", "3");
    asker_close(a);
    struct store *old;
    assert_int_equal(store_open(backup, STORE_READ, &old, &err), 0);
    assert_sql(old, "PRAGMA user_version", "1");
    assert_sql(old, "SELECT count(*) FROM answer", "1");
    store_close(old);
    refused(path, STORE_READ, ERR_NEWER);
    free(backup);
    free(path);
}

static void test_migration_fails(void **state)
{
    static const struct migration broken[] = {{1, ""},
                                              {2, "CREATE TABLE later(x); NONSENSE"}};
    char *path = asker_path(state);
    make_store(path);
    struct err err = {0};
    struct asker *a = asker_open(path);
    assert_int_equal(store_migrate(a->store, 1, broken, 2, &err), -1);
    assert_true(err.code != ERR_NONE);
    assert_sql(a->store, "PRAGMA user_version", "1");
    assert_sql(a->store, "SELECT count(*) FROM sqlite_schema WHERE name = 'later'", "0");
    asker_close(a);
    make_store(path);
    free(path);
}

/* ---- what the disk says ---- */

/* Runs `check` in a process of its own as a user who is not root. */
static void as_nobody(const char *path, void (*check)(const char *path))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        check(path);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_read_only(const char *path)
{
    struct err err = {0};
    struct store *store;
    if (store_open(path, STORE_READ, &store, &err) != 0) {
        err_print(&err, stderr, false);
        _exit(3);
    }
    struct store_counts counts;
    if (store_count(store, &counts, &err) != 0 || counts.answered != 1)
        _exit(4);
    store_close(store);
    for (size_t i = 1; i < 3; i++) {
        err = (struct err){0};
        if (store_open(path, modes[i], &store, &err) == 0 || err.code != ERR_STORAGE ||
            err.fix[0] == '\0')
            _exit(5);
    }
}

/* A store in a directory of somebody else: readable, even though a reader of a WAL
 * database wants to make files beside it. */
static void test_read_only_directory(void **state)
{
    char *path = asker_path(state), *lock = mem_format("%s.lock", path);
    make_store(path);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(lock, 0444), 0);
    assert_int_equal(chmod(*state, 0555), 0);
    as_nobody(path, check_read_only);
    assert_int_equal(chmod(*state, 0755), 0);
    free(lock);
    free(path);
}

static void check_not_creating(const char *path)
{
    struct err err = {0};
    struct store *store;
    if (store_open(path, STORE_CREATE, &store, &err) == 0 || err.code != ERR_STORAGE ||
        strstr(err.what, path) == NULL || err.fix[0] == '\0')
        _exit(3);
}

static void test_create_in_read_only_directory(void **state)
{
    char *path = asker_path(state);
    assert_int_equal(chmod(*state, 0555), 0);
    as_nobody(path, check_not_creating);
    assert_int_equal(chmod(*state, 0755), 0);
    free(path);
}

/* A full disk, as a limit on file sizes: plans until it says so. */
static void fill_up(struct asker *a, struct err *err)
{
    struct plan_counts counts = {0};
    asker_begin(a);
    if (store_plan_start(a->store, false, err) != 0)
        _exit(3);
    for (uint64_t i = 0; err->code == ERR_NONE && i < 1000000; i++) {
        struct prompt prompt;
        struct plan_item item = asker_item(a, 10000 + i, &prompt);
        if (store_plan(a->store, &item, &counts, err) == 0 && i % 500 == 499 &&
            store_commit(a->store, err) == 0)
            asker_begin(a);
    }
}

static void check_full(const char *path)
{
    signal(SIGXFSZ, SIG_IGN);
    struct asker *a = asker_open(path);
    struct rlimit limit = {4 << 20, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    struct err err = {0};
    fill_up(a, &err);
    if (err.code != ERR_STORAGE || err.safe[0] == '\0' || err.fix[0] == '\0' ||
        strstr(err.what, path) == NULL) {
        err_print(&err, stderr, false);
        _exit(4);
    }
    /* It goes on with what it has as soon as there is room again. */
    store_rollback(a->store);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    asker_answer(a, 2, "after", FINISH_STOP);
    asker_close(a);
}

static void test_full(void **state)
{
    char *path = asker_path(state);
    make_store(path);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        check_full(path);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct asker *a = asker_open(path);
    assert_sql(a->store, "PRAGMA integrity_check", "ok");
    assert_int_equal(asker_count(a).answered, 2);
    assert_true(asker_count(a).requests >= 2500); /* commits before it was full */
    asker_close(a);
    free(path);
}

static void test_network(void **state)
{
    (void)state;
    assert_string_equal(lock_network(0x6969), "NFS");
    assert_string_equal(lock_network((long)(int32_t)0xff534d42),
                        "CIFS");           /* sign-extended */
    assert_null(lock_network(0xef53));     /* ext4 */
    assert_null(lock_network(0x01021994)); /* tmpfs */
    struct err err = {0};
    assert_int_equal(lock_check_place("/", &err), 0);
    assert_int_equal(lock_check_place("/no such directory", &err), -1);
    assert_int_equal(err.code, ERR_STORAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_none),
        TEST(test_empty),
        TEST(test_foreign),
        TEST(test_newer),
        TEST(test_truncated),
        TEST(test_lock),
        TEST(test_read_while_writing),
        TEST(test_readers_and_checkpoints),
        TEST(test_pragmas),
        TEST(test_words),
        TEST(test_migration),
        TEST(test_migration_fails),
        TEST(test_read_only_directory),
        TEST(test_create_in_read_only_directory),
        TEST(test_full),
        cmocka_unit_test(test_network),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
