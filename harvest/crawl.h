/* SPDX-License-Identifier: MIT */
/* crawl: which request goes next, and what becomes of it after a reply.
 *
 * Pure: no socket, no clock, no disk. The shell (run.c) brings jobs, time and outcomes;
 * the replay tests bring the same from a script in virtual time. A job's life, every
 * legal move (job_move() makes them all):
 *
 *   READY ──start──▶ FLYING ──landed──▶ LANDED ──judged──▶ DONE ──crawl_done()──▶ freed
 *     ▲                 │                  │
 *     │                 └──judged──────────┤ told to wait, or a fault that may pass
 *     └────wake─────── BACKOFF ◀───────────┘
 *
 * One pacer, so one gate: a single 429 pauses everything for the teacher. A pause and a
 * refused connection cost no attempt; a fault does. What is ambiguous is asked again at
 * most once in a run, and never when ambiguity is held. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/record.h"
#include "harvest/pacer.h"
#include "store/store.h"

enum job_state {
    JOB_READY,   /* in the queue, waiting for the pacer */
    JOB_FLYING,  /* has a slot: its intent is being committed, or it is at the teacher */
    JOB_LANDED,  /* the teacher is done with it; the outcome is not known yet */
    JOB_BACKOFF, /* in the heap until its time */
    JOB_DONE,    /* has a final outcome in this run */
};

struct job {
    struct heap_node wake; /* first, so that the heap's node is the job */
    struct job *next;      /* in the queue it is in */
    enum job_state state;
    struct arena arena; /* holds what todo points to */
    struct todo todo;
    int attempts; /* that count against the limit */
    bool resent;  /* was ambiguous and is being asked again */
    enum outcome outcome;
    enum reason reason;
};

struct crawl_conf {
    struct pacer_conf pacer;
    int64_t attempts;    /* in all, for faults that may pass */
    int64_t max_wait_ms; /* longest pause obeyed; longest time without a connection */
    bool hold_ambiguous;
    uint64_t seed; /* of the jitter */
};

/* Why nothing more is started. */
enum crawl_stop {
    CRAWL_GOES_ON,
    CRAWL_ASKED,       /* crawl_stop() */
    CRAWL_HELD,        /* a person must act: see reason */
    CRAWL_WAIT,        /* the teacher asks for more than max_wait_ms */
    CRAWL_UNREACHABLE, /* no connection for max_wait_ms */
};

struct crawl_counts {
    uint64_t added, answered, failed, ambiguous;
    uint64_t retries, pauses; /* attempts beyond the first; pauses obeyed */
};

struct crawl;

struct crawl *crawl_new(const struct crawl_conf *conf);
void crawl_free(struct crawl *crawl); /* NULL is fine; frees its jobs too */

/* A new job with an empty arena, not yet in the crawl; and back. */
struct job *crawl_job_new(void);
void crawl_job_free(struct job *job);

void crawl_add(struct crawl *crawl, struct job *job);
size_t crawl_waiting(const struct crawl *crawl); /* READY and BACKOFF */
size_t crawl_flying(const struct crawl *crawl);  /* FLYING */
size_t crawl_jobs(const struct crawl *crawl);    /* all that are not freed */

/* The next job to send, now FLYING, or NULL: ask crawl_wake() when. */
struct job *crawl_start(struct crawl *crawl, uint64_t now);

/* Milliseconds until crawl_start() may give something; PACER_REPLY: not before a reply or
 * a new job. */
uint64_t crawl_wake(struct crawl *crawl, uint64_t now);

/* The teacher is done with a FLYING job. */
void crawl_landed(struct crawl *crawl, struct job *job);

/* A FLYING job that was never sent goes back to the front of the queue. */
void crawl_recall(struct crawl *crawl, struct job *job);

/* What the ledger must record for this outcome of this job: RETRY becomes FAILED on the
 * last attempt. Reads nothing but the job and the configuration: any thread. */
enum outcome crawl_verdict(const struct crawl *crawl, const struct job *job,
                           enum outcome outcome);

/* Decides about a LANDED job. outcome is what crawl_verdict() gave. retry_after_ms: -1
 * when the teacher did not say. Requires: an ANSWERED one has been committed. */
void crawl_judge(struct crawl *crawl, struct job *job, enum outcome outcome,
                 enum reason reason, int64_t retry_after_ms, uint64_t now);

/* The next finished job, which the caller frees; NULL: none. */
struct job *crawl_done(struct crawl *crawl);

/* Starts nothing more; flying jobs may finish. The first reason stays. */
void crawl_stop(struct crawl *crawl);
enum crawl_stop crawl_stopped(const struct crawl *crawl);
enum reason crawl_stop_reason(const struct crawl *crawl);
int64_t crawl_asked_wait_ms(const struct crawl *crawl); /* for CRAWL_WAIT */

/* Until when the teacher is paused (ms; <= now: it is not), and why. */
uint64_t crawl_paused_until(const struct crawl *crawl, enum reason *reason);

const struct crawl_counts *crawl_count(const struct crawl *crawl);
