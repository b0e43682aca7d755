/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/compress.h"
#include "store/dictionary.h"
#include "store/private.h"
#include "store/vocab.h"

/* ---- the path ---- */

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_str(".");
    return mem_format("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* One store has one name, whatever links lead to it: the lock's name comes from it. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    if (real != NULL)
        return real;
    char *directory = directory_of(path), *real_directory = realpath(directory, NULL);
    free(directory);
    if (real_directory == NULL)
        return mem_str(path);
    const char *slash = strrchr(path, '/');
    char *result = mem_format("%s/%s", real_directory, slash == NULL ? path : slash + 1);
    free(real_directory);
    return result;
}

static int no_store(const char *path, struct err *err)
{
    err_set(err, ERR_NO_STORE, "no store at '%s'", path);
    return err_fix(err, "`harvest run PROMPTS` makes one; --store names another place");
}

static int check_path(const char *path, enum store_mode mode, struct err *err)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return file_error(err, "open store", path, errno);
        if (mode != STORE_CREATE)
            return no_store(path, err);
    } else if (!S_ISREG(about.st_mode)) {
        return err_set(err, ERR_STORAGE, "store '%s' is no regular file", path);
    }
    char *directory = directory_of(path);
    int result = stat(directory, &about) != 0 ? file_error(err, "make store", path, errno)
                                              : lock_check_place(directory, err);
    free(directory);
    return result;
}

/* ---- the connection ---- */

static int pragma_value(struct store *store, const char *literal, int64_t *value,
                        struct err *err)
{
    struct query q = query_start(store, literal);
    return query_value(&q, 0, value, err);
}

static int configure(struct store *store, struct err *err)
{
    sqlite3 *db = store->db;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Only the one writer ever checkpoints: SQLite before 3.51.3 can lose transactions
     * when one connection does while another commits. */
    if (store->mode == STORE_READ)
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return store_execute(store, "PRAGMA trusted_schema = OFF; PRAGMA temp_store = FILE",
                         err);
}

/* SQLite takes a file that is shorter than a page for an empty database, and would write
 * over it. An interrupted making leaves nothing or whole pages. */
static bool is_fragment(const char *path)
{
    enum { SMALLEST_PAGE = 512 };
    struct stat about;
    return stat(path, &about) == 0 && about.st_size > 0 && about.st_size < SMALLEST_PAGE;
}

static int not_ours(const struct store *store, const char *why, struct err *err)
{
    err_set(err, ERR_DAMAGED, "'%s' is no store of harvest", store->path);
    err_why(err, "%s", why);
    err_safe(err, "it was not changed");
    return err_fix(err, "choose another path with --store");
}

/* Before anything is written: is it ours, and can this version work with it? */
static int identify(struct store *store, int *version, struct err *err)
{
    int64_t application, user, objects;
    if (pragma_value(store, "PRAGMA application_id", &application, err) != 0 ||
        pragma_value(store, "PRAGMA user_version", &user, err) != 0 ||
        pragma_value(store, "SELECT count(*) FROM sqlite_schema", &objects, err) != 0)
        return -1;
    if (is_fragment(store->path))
        return not_ours(store, "it is no database", err);
    if (application == 0 && user == 0 && objects == 0) {
        *version = 0; /* empty, or its making was interrupted */
        return store->mode == STORE_CREATE ? 0 : no_store(store->path, err);
    }
    if (application != APPLICATION_ID || user <= 0)
        return not_ours(store, "it is a database of another program", err);
    if (user > SCHEMA_VERSION) {
        err_set(err, ERR_NEWER, "store '%s' was written by a newer harvest", store->path);
        err_why(err, "its schema is version %lld, this program knows %d", (long long)user,
                SCHEMA_VERSION);
        err_safe(err, "it was not changed");
        return err_fix(err, "install the newer version");
    }
    if (user < SCHEMA_VERSION && store->mode == STORE_READ) {
        err_set(err, ERR_STORAGE, "store '%s' has the schema of an older harvest",
                store->path);
        return err_fix(err, "`harvest run` brings it up to date and keeps a backup");
    }
    *version = (int)user;
    return 0;
}

/* Durability is not left to the defaults of whoever built SQLite. */
static int make_durable(struct store *store, struct err *err)
{
    static const struct {
        const char *literal, *name;
        int64_t wanted;
    } checks[] = {
        {"PRAGMA synchronous", "synchronous", 2},
        {"PRAGMA foreign_keys", "foreign_keys", 1},
        {"PRAGMA trusted_schema", "trusted_schema", 0},
        {"PRAGMA wal_autocheckpoint", "wal_autocheckpoint", 4000},
    };
    struct query q = query_start(store, "PRAGMA journal_mode = WAL");
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    bool wal = row && span_is(query_get(&q, 0), "wal");
    query_end(&q);
    if (!wal)
        return err_set(err, ERR_STORAGE, "store '%s': SQLite refuses the WAL",
                       store->path);
    if (store_execute(store,
                      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                      "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536;"
                      "PRAGMA journal_size_limit = 134217728",
                      err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int64_t value;
        if (pragma_value(store, checks[i].literal, &value, err) != 0)
            return -1;
        if (value != checks[i].wanted)
            return err_set(err, ERR_STORAGE, "store '%s': SQLite did not take %s = %lld",
                           store->path, checks[i].name, (long long)checks[i].wanted);
    }
    return 0;
}

/* ---- what an earlier run left behind ---- */

static int settle_leftovers(struct store *store, struct err *err)
{
    char *sql = mem_format(
        "INSERT INTO attempt(id, run, request, teacher, sent_ms, took_ms, outcome, "
        "reason,"
        " status, curl_code, limits)"
        " SELECT i.attempt, i.run, i.request, r.teacher, i.sent_ms, 0, %d, %d, 0, 0, 0"
        " FROM intent i JOIN request r ON r.id = i.request;"
        "UPDATE run SET attempts = attempts +"
        " (SELECT count(*) FROM intent i WHERE i.run = run.id)"
        " WHERE id IN (SELECT run FROM intent);"
        "INSERT INTO ambiguous(request, attempt, allowed)"
        " SELECT request, attempt, 0 FROM intent WHERE true"
        " UNION ALL SELECT s.request, s.attempt, 0 FROM serves s JOIN intent "
        "USING(attempt)"
        " ON CONFLICT DO UPDATE SET attempt = excluded.attempt, allowed = 0;"
        "DELETE FROM intent",
        OUTCOME_AMBIGUOUS, REASON_KILLED);
    int result = store_begin(store, err);
    if (result == 0 &&
        (store_execute(store, sql, err) != 0 || store_commit(store, err) != 0)) {
        store_rollback(store);
        result = -1;
    }
    free(sql);
    return result;
}

static int open_for_writing(struct store *store, int version, struct err *err)
{
    /* Takes effect in a new file only. */
    char *page_size = mem_format("PRAGMA page_size = %d", PAGE_BYTES);
    int result = store_execute(store, page_size, err);
    free(page_size);
    int64_t leftovers;
    if (result != 0 || make_durable(store, err) != 0 ||
        store_prepare(store, version, err) != 0 ||
        pragma_value(store, "SELECT count(*) FROM intent", &leftovers, err) != 0 ||
        pragma_value(store,
                     "SELECT max(ifnull((SELECT max(id) FROM attempt), 0),"
                     " ifnull((SELECT max(attempt) FROM intent), 0))",
                     &store->last_attempt, err) != 0)
        return -1;
    if (version == 0) {
        char *directory = directory_of(store->path);
        result = file_sync_directory(directory, err);
        free(directory);
    }
    return result != 0 || leftovers == 0 ? result : settle_leftovers(store, err);
}

/* A store that nobody can be writing, in a directory where a reader may not make the
 * shared memory that a WAL needs: SQLite reads it when told that it will not change. */
static int open_unchanging(struct store *store)
{
    struct buf uri;
    buf_init(&uri, 1 << 16);
    buf_text(&uri, "file:");
    for (const char *p = store->path; *p != '\0'; p++) {
        if (*p == '%' || *p == '?' || *p == '#')
            buf_format(&uri, "%%%02x", (unsigned)*p);
        else
            buf_byte(&uri, *p);
    }
    buf_text(&uri, "?immutable=1");
    sqlite3_close(store->db);
    store->db = NULL;
    int rc = sqlite3_open_v2(uri.p, &store->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                             NULL);
    buf_clear(&uri);
    return rc;
}

/* True when the WAL that a reader could not open holds nothing. */
static bool wal_is_empty(const struct store *store)
{
    char *name = mem_format("%s-wal", store->path);
    struct stat about;
    bool empty = stat(name, &about) != 0 ? errno == ENOENT : about.st_size == 0;
    free(name);
    return empty;
}

static int connect(struct store *store, struct err *err)
{
    int flags = store->mode == STORE_READ    ? SQLITE_OPEN_READONLY
                : store->mode == STORE_WRITE ? SQLITE_OPEN_READWRITE
                                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK && store->mode == STORE_READ) {
        rc = sqlite3_exec(store->db, "PRAGMA user_version", NULL, NULL, NULL);
        if ((rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY) && wal_is_empty(store))
            rc = open_unchanging(store);
        else
            rc = SQLITE_OK; /* identify meets it again and says so */
    }
    if (rc != SQLITE_OK)
        return store_fail(store, rc, err);
    return configure(store, err);
}

/* ---- open and close ---- */

static int open_path(struct store *store, struct err *err)
{
    int version = 0;
    if (check_path(store->path, store->mode, err) != 0)
        return -1;
    if (store->mode != STORE_READ && lock_take(store->path, &store->lock, err) != 0)
        return -1;
    if (connect(store, err) != 0 || identify(store, &version, err) != 0)
        return -1;
    return store->mode == STORE_READ ? 0 : open_for_writing(store, version, err);
}

int store_open(const char *path, enum store_mode mode, struct store **store,
               struct err *err)
{
    struct store *s = mem_new(sizeof *s);
    s->path = resolve(path);
    s->mode = mode;
    s->lock = -1;
    s->coder = coder_new();
    s->dictionaries = dictionaries_new();
    buf_init(&s->payload, BODY_MAX);
    buf_init(&s->packed, BODY_MAX);
    buf_init(&s->scratch, BODY_MAX);
    for (size_t i = 0; i < NAMES; i++)
        buf_init(&s->names[i].text, 1 << 16);
    if (open_path(s, err) != 0) {
        store_close(s);
        return -1;
    }
    *store = s;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_rollback(store);
    statements_clear(store);
    int rc = sqlite3_close(store->db);
    assert(rc == SQLITE_OK); /* a cursor was left open */
    store_forget(store);
    coder_free(store->coder);
    dictionaries_free(store->dictionaries);
    for (size_t i = 0; i < NAMES; i++)
        buf_clear(&store->names[i].text);
    arena_clear(&store->arena);
    buf_clear(&store->payload);
    buf_clear(&store->packed);
    buf_clear(&store->scratch);
    if (store->lock >= 0)
        close(store->lock);
    free(store->path);
    free(store);
}
