/* SPDX-License-Identifier: MIT */
/* writer: makes intents and answers durable in groups, off the loop.
 *
 * Two batches: one filling, one being written on libuv's thread pool; so the store sees
 * one thread at a time by construction, and the loop never waits for the disk. While one
 * group is being committed the next one gathers, which makes groups as large as the disk
 * is slow. A batch holds records (flights that ended), intents (flights to be sent after
 * the commit) and a wish for more jobs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "harvest/flight.h"

struct uv_loop_s;
struct writer;

struct writer_conf {
    struct store *store; /* not to be touched by others until writer_close() */
    const struct route *route;
    void *arg; /* of the callbacks, which all come on the loop */
    void (*on_intended)(void *arg, struct flight *flight); /* durable: may be sent now */
    void (*on_recorded)(void *arg, struct flight *flight); /* durable: may be judged */
    void (*on_job)(void *arg, struct job *job);            /* one more to ask */
    void (*on_written)(void *arg); /* after all of those of a batch */
};

struct writer *writer_new(struct uv_loop_s *loop, const struct writer_conf *conf);

/* Room for one more intent and, in time, its record: no room, no new request. */
bool writer_has_room(const struct writer *writer);

void writer_intend(struct writer *writer, struct flight *flight);
void writer_record(struct writer *writer, struct flight *flight);

/* Asks for up to n more jobs; one wish at a time. writer_exhausted(): there are no more.
 */
void writer_want(struct writer *writer, size_t n);
bool writer_wants(const struct writer *writer);
bool writer_exhausted(const struct writer *writer);

/* Hands the filling batch over to the pool unless one is being written or nothing waits.
 * To be called once a turn of the loop, after everything that came in has been put in. */
void writer_kick(struct writer *writer);
bool writer_idle(const struct writer *writer);

/* The first failure of the store; from then on nothing is written, intents and records
 * come back through writer_give_back(). NULL: none. */
const struct err *writer_failed(const struct writer *writer);
/* The next flight that could not be written, NULL when there is none. */
struct flight *writer_give_back(struct writer *writer);
/* After a failure: writes the records that were not written once more, with the next
 * batch. Intents come back through writer_give_back(). */
void writer_retry(struct writer *writer);

/* Requires: idle. */
void writer_free(struct writer *writer);
