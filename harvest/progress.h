/* SPDX-License-Identifier: MIT */
/* progress: one line that says how far a run is and what it waits for. Pure. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "harvest/crawl.h"

struct progress {
    uint64_t started_ms; /* same clock as now */
    uint64_t total;      /* to be asked in this run */
    uint64_t stored;     /* answered before this run */
    double rate;         /* answers a second, smoothed */
    uint64_t last_ms, last_answered;
};

/* Call a few times a second: keeps the rate. */
void progress_tick(struct progress *progress, const struct crawl_counts *counts,
                   uint64_t now);

/* "62 %  7,412 of 12,000  31/s  in flight 16  failed 3  waiting 0:18 (429)  left 2:31" */
void progress_line(const struct progress *progress, const struct crawl *crawl,
                   uint64_t now, struct buf *line);

/* Appends a count with thousands separators; a duration as 1:02:03 or 0:18. */
void progress_add_count(struct buf *out, uint64_t n);
void progress_add_duration(struct buf *out, uint64_t ms);
