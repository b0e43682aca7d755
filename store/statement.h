/* SPDX-License-Identifier: MIT */
/* statement: one SQL statement at a time, its text beside the code that uses it.
 *
 *   struct query q = query_start(store, "UPDATE run SET ended_ms = ?1 WHERE id = ?2");
 *   query_int(&q, now_ms);
 *   query_int(&q, run);
 *   return query_run(&q, err);
 *
 * Statements are prepared once per store and found again by the address of their text,
 * which therefore must be a literal. Failures of starting and binding surface in the next
 * query_row or query_run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct sqlite3_stmt;
struct store;

struct query {
    struct store *store;
    struct sqlite3_stmt *st; /* NULL: could not be prepared */
    int at;                  /* parameters bound */
    int rc;                  /* the first failure */
};

struct query query_start(struct store *store, const char *literal);

/* Bind the next parameter. Bytes must live until the query ends; absent spans are NULL. */
void query_int(struct query *q, int64_t value);
void query_int_or_null(struct query *q, int64_t value, int64_t null); /* null is NULL */
void query_text(struct query *q, struct span text);
void query_blob(struct query *q, struct span blob);

/* Steps. At the end (*row false) and on failure the query has ended. */
int query_row(struct query *q, bool *row, struct err *err);
int query_run(struct query *q, struct err *err); /* requires: yields no row */
void query_end(struct query *q);                 /* before the last row; again is fine */

/* Columns of the current row; spans live until the next step, absent for NULL. */
int64_t query_get_int(const struct query *q, int column);
int64_t query_get_or(const struct query *q, int column, int64_t null);
struct span query_get(const struct query *q, int column);
bool query_is_text(const struct query *q, int column);

/* The first column of the first row, or `none` when there is no row. */
int query_value(struct query *q, int64_t none, int64_t *value, struct err *err);

/* Frees what was prepared. */
void statements_clear(struct store *store);

/* Runs a text of several statements that yield no rows. */
int store_execute(struct store *store, const char *sql, struct err *err);

/* What SQLite says went wrong, as ERR_STORAGE, ERR_DAMAGED or ERR_LOCKED; always -1. */
int store_fail(struct store *store, int rc, struct err *err);
