/* SPDX-License-Identifier: MIT */
#include "store/statement.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sqlite3.h>

#include "store/private.h"

/* ---- errors ---- */

static enum err_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_LOCKED;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOLFS:
    case SQLITE_TOOBIG:
        return ERR_STORAGE;
    default:
        return ERR_INTERNAL;
    }
}

static void advise(int rc, const char *path, struct err *err)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        err_fix(err, "make room where '%s' is and run the same command again", path);
        break;
    case SQLITE_IOERR:
        err_fix(err, "look for disk errors in the system's log, and whether the disk is "
                     "full, before running the same command again");
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        err_fix(err, "check owner and permissions of '%s' and of its directory", path);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        err_fix(err, "another program holds a lock on '%s': close it and try again",
                path);
        break;
    case SQLITE_NOTADB:
        err_fix(err,
                "choose another path with --store; if '%s' was a store, restore a backup",
                path);
        break;
    case SQLITE_CORRUPT:
        err_fix(err,
                "keep '%s' as it is; restore a backup, or save what can be read with: "
                "sqlite3 '%s' .recover",
                path, path);
        break;
    default:
        break;
    }
}

int store_fail(struct store *store, int rc, struct err *err)
{
    err_set(err, code_of(rc), "store '%s': %s", store->path, sqlite3_errstr(rc));
    int error = store->db == NULL ? 0 : sqlite3_system_errno(store->db);
    if (error != 0 && code_of(rc) == ERR_STORAGE)
        err_why(err, "%s (SQLite code %d)", strerror(error), rc);
    else if (store->db != NULL && rc == sqlite3_extended_errcode(store->db) &&
             strcmp(sqlite3_errmsg(store->db), sqlite3_errstr(rc)) != 0)
        err_why(err, "%s (SQLite code %d)", sqlite3_errmsg(store->db), rc);
    if (code_of(rc) != ERR_LOCKED && (rc & 0xff) != SQLITE_NOTADB)
        err_safe(err, "what was committed before this stays in the store");
    advise(rc, store->path, err);
    return -1;
}

int store_damaged(struct store *store, const char *what, int64_t id, struct err *err)
{
    err_set(err, ERR_DAMAGED, "store '%s': %s %lld is damaged", store->path, what,
            (long long)id);
    err_safe(err, "other rows are not concerned");
    return -1;
}

int store_execute(struct store *store, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0
                           : store_fail(store, sqlite3_extended_errcode(store->db), err);
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct store *store, const char *literal, int *rc)
{
    size_t i = (uintptr_t)literal / 8 * 0x9e3779b97f4a7c15u >> 57;
    static_assert(STATEMENTS == 1 << 7, "the hash keeps 64 - 57 bits");
    for (size_t probes = 0; store->statements[i].literal != literal; probes++) {
        assert(probes < STATEMENTS);
        if (store->statements[i].literal == NULL) {
            *rc = sqlite3_prepare_v3(store->db, literal, -1, SQLITE_PREPARE_PERSISTENT,
                                     &store->statements[i].st, NULL);
            if (*rc != SQLITE_OK)
                return NULL;
            store->statements[i].literal = literal;
            break;
        }
        i = (i + 1) % STATEMENTS;
    }
    return store->statements[i].st;
}

struct query query_start(struct store *store, const char *literal)
{
    struct query q = {.store = store, .rc = SQLITE_OK};
    q.st = prepare(store, literal, &q.rc);
    assert(q.st == NULL || !sqlite3_stmt_busy(q.st));
    return q;
}

void statements_clear(struct store *store)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i].st);
        store->statements[i] = (struct statement){0};
    }
}

/* ---- parameters ---- */

static void keep(struct query *q, int rc)
{
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void query_int(struct query *q, int64_t value)
{
    if (q->rc == SQLITE_OK)
        keep(q, sqlite3_bind_int64(q->st, ++q->at, value));
}

void query_int_or_null(struct query *q, int64_t value, int64_t null)
{
    if (value != null)
        query_int(q, value);
    else if (q->rc == SQLITE_OK)
        keep(q, sqlite3_bind_null(q->st, ++q->at));
}

void query_text(struct query *q, struct span text)
{
    if (q->rc == SQLITE_OK) /* binding NULL bytes binds NULL */
        keep(q, sqlite3_bind_text64(q->st, ++q->at, text.p, text.n, SQLITE_STATIC,
                                    SQLITE_UTF8));
}

void query_blob(struct query *q, struct span blob)
{
    if (q->rc == SQLITE_OK)
        keep(q, sqlite3_bind_blob64(q->st, ++q->at, blob.p, blob.n, SQLITE_STATIC));
}

/* ---- steps ---- */

void query_end(struct query *q)
{
    if (q->st != NULL)
        sqlite3_reset(q->st);
}

int query_row(struct query *q, bool *row, struct err *err)
{
    assert(q->rc != SQLITE_OK || q->at == sqlite3_bind_parameter_count(q->st));
    int rc = q->rc == SQLITE_OK ? sqlite3_step(q->st) : q->rc;
    if (rc == SQLITE_ROW) {
        *row = true;
        return 0;
    }
    if (rc == SQLITE_DONE) {
        *row = false;
        query_end(q);
        return 0;
    }
    store_fail(q->store, rc, err);
    query_end(q);
    return -1;
}

int query_run(struct query *q, struct err *err)
{
    bool row = false;
    if (query_row(q, &row, err) != 0)
        return -1;
    assert(!row);
    return 0;
}

int query_value(struct query *q, int64_t none, int64_t *value, struct err *err)
{
    bool row;
    if (query_row(q, &row, err) != 0)
        return -1;
    *value = row ? query_get_or(q, 0, none) : none;
    query_end(q);
    return 0;
}

/* ---- columns ---- */

int64_t query_get_int(const struct query *q, int column)
{
    return sqlite3_column_int64(q->st, column);
}

int64_t query_get_or(const struct query *q, int column, int64_t null)
{
    bool is_null = sqlite3_column_type(q->st, column) == SQLITE_NULL;
    return is_null ? null : sqlite3_column_int64(q->st, column);
}

struct span query_get(const struct query *q, int column)
{
    if (sqlite3_column_type(q->st, column) == SQLITE_NULL)
        return (struct span){NULL, 0};
    const char *p = sqlite3_column_blob(q->st, column);
    /* SQLite gives NULL for an empty value, which is not an absent one. */
    return (struct span){p == NULL ? "" : p, (size_t)sqlite3_column_bytes(q->st, column)};
}

bool query_is_text(const struct query *q, int column)
{
    return sqlite3_column_type(q->st, column) == SQLITE_TEXT;
}
