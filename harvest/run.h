/* SPDX-License-Identifier: MIT */
/* run: the shell around the pure core, and the only owner of a loop.
 *
 * It wires crawl, transport and writer together; those three do not know each other. Once
 * a turn of the loop, after everything that came in has been put in its place, pump()
 * starts what may start and hands the writer its batch: nothing else starts work. */
#pragma once

#include "base/err.h"
#include "harvest/config.h"
#include "harvest/console.h"
#include "harvest/crawl.h"
#include "harvest/credential.h"
#include "harvest/flight.h"
#include "harvest/plan.h"
#include "store/store.h"

struct run_job {
    const struct config *config;
    const struct teacher_conf *teacher;
    const struct credential *credential; /* NULL: none */
    struct console *console;
    struct store *store;
    const struct plan_result *plan;
    unsigned dialect;
};

/* What came of it. */
struct run_result {
    struct crawl_counts counts;
    uint64_t unwritten; /* answers that came and could not be stored */
    uint64_t elapsed_ms;
    enum crawl_stop stop; /* why nothing more was started */
    enum reason stop_reason;
    int64_t asked_wait_ms;  /* for CRAWL_WAIT */
    int stop_status;        /* HTTP status of the reply that stopped the run */
    char stop_note[300];    /* the teacher's words in it */
    int signal;             /* SIGINT or SIGTERM, or 0 */
    char model_served[200]; /* first one that differed from the one asked; "" */
    uint64_t model_mismatches;
};

/* Asks everything that was planned. Returns 0 when the store is fine, whatever the
 * teacher did (see result), -1 (ERR_STORAGE, ERR_DAMAGED) when answers could not be
 * written. */
int run_crawl(const struct run_job *job, struct run_result *result, struct err *err);
