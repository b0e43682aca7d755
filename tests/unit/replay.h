/* SPDX-License-Identifier: MIT */
/* replay: the real crawl, pacer, flights and codec against a script, in virtual time.
 *
 * The same script a fake teacher plays on sockets; here the replies are made of the steps
 * and come when the virtual clock says so. Hours of 429s take a millisecond and repeat bit
 * for bit. */
#pragma once

#include <stdint.h>

#include "harvest/crawl.h"
#include "tests/teacher/script.h"

struct replay_conf {
    struct crawl_conf crawl;
    int64_t jobs;
    int64_t timeout_ms; /* of an exchange */
    int64_t latency_ms; /* of every reply, added to its delay */
};

struct replay_result {
    struct crawl_counts counts;
    enum crawl_stop stop;
    enum reason reason;
    uint64_t took_ms;
    uint64_t sent;       /* requests that reached the teacher */
    uint64_t billed;     /* of those, the ones it began to answer */
    uint64_t distinct;   /* jobs among the billed */
    uint64_t unfinished; /* jobs without a final outcome */
    uint64_t most_in_flight;
    uint64_t most_in_minute; /* starts in the fullest window of 60 s */
    uint64_t early;          /* starts before a Retry-After had passed */
    uint64_t trace;          /* hash over every event in order */
};

void replay_run(const struct replay_conf *conf, const struct script *script,
                struct replay_result *result);
