/* SPDX-License-Identifier: MIT */
/* book: what the teacher was asked and what it bills for, kept by the teacher itself.
 *
 * A provider's invoice does not care what its client remembers; neither does this. Each
 * request that arrived whole gets one line at once by write(2), so that the book of a
 * killed server is complete:
 *
 *   {"n": 7, "at": 12345.678901, "hash": "00ff…", "status": 200, "billed": true,
 *    "bytes": 2131, "connection": 3, "step": 0}
 *
 * (on one line). n counts from 1 in the order of arrival; at is CLOCK_MONOTONIC in
 * seconds; hash stands for the request's body in canonical form, so that equal ones are
 * seen to be equal; bytes is the size of the reply that was begun; step is the script's
 * line, 0 when there was none. A request is billed when the teacher began to work on it:
 * a client that goes away pays all the same. Refusals (401, 429, 5xx, redirects) cost
 * nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct book;

struct book_entry {
    uint64_t at_us; /* CLOCK_MONOTONIC */
    uint64_t hash;
    int status;
    bool billed;
    uint64_t bytes;
    uint64_t connection;
    unsigned step;
};

/* path NULL: lines are written nowhere, and all is counted. */
int book_open(const char *path, struct book **book, struct err *err);
void book_close(struct book *book); /* NULL is fine */

/* Any request of HTTP, to whatever path. */
void book_hit(struct book *book);

/* A chat completion request arrived whole; returns its number. It is in flight from now.
 */
uint64_t book_arrive(struct book *book, uint64_t at_us);
/* What is to become of it. */
void book_write(struct book *book, uint64_t number, const struct book_entry *entry);
/* Its reply has left whole, or (abandoned) its connection is gone. */
void book_leave(struct book *book, bool abandoned);

/* Appends one JSON object of all counts:
 * requests, billed, distinct (hashes among the billed), refused (429), redirected (3xx),
 * failed (5xx), abandoned, in_flight, max_in_flight, per_second_max, per_minute_max,
 * hits. */
void book_add_counts(const struct book *book, struct buf *out);
