/* SPDX-License-Identifier: MIT */
/* private: what the files of store/ share about an open store. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/statement.h"
#include "store/store.h"

enum {
    APPLICATION_ID = 0x68727673, /* "hrvs" */
    SCHEMA_VERSION = 1,
    PAGE_BYTES = 16384,
    STATEMENTS = 128, /* slots for prepared statements, more than there are in store/ */
    NAMES = 8,        /* model names and fingerprints remembered with their ids */
    BODY_MAX = 1 << 30,
};

/* Sums of one run since the transaction began, written into its row at commit. */
struct tally {
    int64_t run, attempts, answers;
    struct usage usage;
};

struct store {
    sqlite3 *db;
    char *path;
    enum store_mode mode;
    int lock; /* file descriptor, -1 for readers */
    bool in_transaction;
    struct statement {
        const char *literal;
        sqlite3_stmt *st;
    } statements[STATEMENTS];
    int64_t last_attempt; /* highest id given out, over attempt and intent */
    bool hold_ambiguous;  /* of the plan */
    bool has_editions;    /* above 0 */
    struct tally tally;
    struct {
        int64_t id;
        struct buf text;
    } names[NAMES];
    unsigned next_name;
    struct coder *coder;               /* see compress.h */
    struct dictionaries *dictionaries; /* see dictionary.h */
    struct vocab *vocabs;              /* see vocab.h */
    struct arena arena;                /* of the call being served */
    struct buf payload, packed, scratch;
};

/* After anything was rolled back: forgets what memory knows and the file may not. */
void store_forget(struct store *store);

/* What was read cannot be what was written; always -1. */
int store_damaged(struct store *store, const char *what, int64_t id, struct err *err);

/* The id of an interned text, made when new; 0 for an absent one. */
int store_name(struct store *store, struct span text, int64_t *id, struct err *err);

/* ---- lock.c ---- */

/* Takes PATH.lock for the life of the process; *fd is closed to give it back. */
int lock_take(const char *path, int *fd, struct err *err);
/* The network file system that a magic number of statfs(2) belongs to, or NULL. */
const char *lock_network(long magic);
/* Refuses directories where SQLite's shared memory cannot work. */
int lock_check_place(const char *directory, struct err *err);

/* ---- migrate.c ---- */

struct migration {
    int version;     /* after it */
    const char *sql; /* run in one transaction with the rise of user_version */
};
/* Brings a store from version `from` to that of the last step, backing it up first when
 * it is not new (PATH.before-N, N the version it goes to). */
int store_migrate(struct store *store, int from, const struct migration *steps, size_t n,
                  struct err *err);
/* Creates the schema or brings it up to date; writes the words of the views. */
int store_prepare(struct store *store, int version, struct err *err);
