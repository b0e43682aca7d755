/* SPDX-License-Identifier: MIT */
/* flight: one exchange with a teacher, from the intent to send it to its record.
 *
 * A job may need several flights; a flight belongs to one job. It is made by the shell,
 * lent to the writer (intent), to the transport, and to the writer again (record), and
 * freed by the shell. It owns the bytes of both directions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "harvest/crawl.h"
#include "harvest/teacher.h"
#include "harvest/transport.h"
#include "store/store.h"

/* What all flights to one teacher have in common; constant while anything flies. */
struct route {
    const struct codec *codec;
    const struct crawl *crawl; /* for crawl_verdict() only */
    const char *model;
    struct span params, system; /* the form of this run: canonical JSON; plain text */
    unsigned dialect;
    int64_t run, teacher, terms;
};

struct flight {
    struct flight *next; /* in the writer's list it is in */
    struct job *job;     /* NULL once the crawl has judged it */
    void *owner;         /* the shell's */
    int64_t request;     /* the job's, which may be gone before the record is written */
    struct arena arena;  /* parameters asked for, what decoding makes */
    struct ask ask;
    struct buf sending;       /* body sent */
    struct buf headers, body; /* of the reply */
    char message[256];        /* libcurl's words */
    enum transport_end end;
    bool sent;
    int status, curl_code;
    int64_t attempt, sent_ms, ended_ms; /* wall clock, for the record only */
    bool recalled;                      /* never sent: the intent is to be taken back */
    struct decoded decoded;
    enum outcome outcome; /* the verdict that is recorded */
    enum reason reason;
};

/* Encodes the job's request. Errors: ERR_USAGE for parameters that cannot be sent. */
int flight_new(const struct route *route, struct job *job, struct flight **flight,
               struct err *err);
void flight_free(struct flight *flight); /* NULL is fine */

/* Takes the bytes over from the transport. */
void flight_land(struct flight *flight, struct transport_reply *reply, int64_t now_ms);

/* Finds outcome, reason and answer. Pure, and so for any thread; does nothing the second
 * time, nor for a recalled flight. Failures are decoded on the loop at once, because they
 * may pause the teacher; whole 2xx replies, which may be large, on the writer's thread. */
void flight_decode(const struct route *route, struct flight *flight);
bool flight_is_small(const struct flight *flight); /* to be decoded on the loop */

/* Writes what the flight came to into the store, inside its transaction. */
int flight_record(const struct route *route, struct flight *flight, struct store *store,
                  struct err *err);
