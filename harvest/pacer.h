/* SPDX-License-Identifier: MIT */
/* pacer: when may the next request to one teacher start?
 *
 * Three gates, all of which must be open: slots bound how many requests are out at once;
 * a rate bounds how many start in a minute; a pause keeps everything back until a time,
 * as a teacher's Retry-After wants it. Pure: the caller brings the time in milliseconds
 * of any steady clock, and never a smaller one than before.
 *
 * The rate is the generic cell rate algorithm (ITU-T I.371, annex A) with its state as an
 * absolute arrival time, so that late timers do not add up to a lower rate. The tolerance
 * makes up for timers of a millisecond, and is taken off the rate: in no window of sixty
 * seconds do more than `rpm` requests start. */
#pragma once

#include <stdint.h>

#define PACER_REPLY UINT64_MAX /* not before a reply has come in */

struct pacer_conf {
    int64_t concurrency; /* slots, >= 1 */
    int64_t rpm;         /* requests per minute; 0: no limit */
};

struct pacer {
    int64_t slots, in_flight;
    uint64_t interval_us; /* between two starts; 0: no limit */
    uint64_t tolerance_us;
    uint64_t arrival_us;   /* theoretical arrival time of the next start */
    uint64_t paused_until; /* ms */
};

void pacer_init(struct pacer *pacer, const struct pacer_conf *conf);

/* Milliseconds until one more request may start: 0 is now. */
uint64_t pacer_wait(const struct pacer *pacer, uint64_t now);

/* Takes a slot and its share of the rate. Requires: pacer_wait() is 0. */
void pacer_start(struct pacer *pacer, uint64_t now);

/* The teacher is done with a request, or it was never sent: its slot is free. */
void pacer_end(struct pacer *pacer);

/* Starts nothing before `until`; an earlier end of a pause never shortens it. */
void pacer_pause(struct pacer *pacer, uint64_t until);
