/* SPDX-License-Identifier: MIT */
#include "harvest/progress.h"

#include <math.h>
#include <stdio.h>

#define SMOOTHING_MS 10000.0 /* the rate forgets what is older than some ten seconds */

void progress_tick(struct progress *progress, const struct crawl_counts *counts,
                   uint64_t now)
{
    if (progress->last_ms == 0 || now <= progress->last_ms) {
        progress->last_ms = now;
        progress->last_answered = counts->answered;
        return;
    }
    double passed = (double)(now - progress->last_ms);
    double fresh = (double)(counts->answered - progress->last_answered) * 1000.0 / passed;
    double weight = progress->rate > 0 ? 1 - exp(-passed / SMOOTHING_MS) : 1;
    progress->rate += (fresh - progress->rate) * weight;
    progress->last_ms = now;
    progress->last_answered = counts->answered;
}

void progress_add_count(struct buf *out, uint64_t n)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buf_byte(out, ',');
        buf_byte(out, digits[i]);
    }
}

void progress_add_duration(struct buf *out, uint64_t ms)
{
    unsigned long long s = (ms + 999) / 1000;
    if (s >= 3600)
        buf_format(out, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
    else
        buf_format(out, "%llu:%02llu", s / 60, s % 60);
}

static void add_wait(const struct crawl *crawl, uint64_t now, struct buf *line)
{
    enum reason reason;
    uint64_t until = crawl_paused_until(crawl, &reason);
    if (until <= now)
        return;
    buf_text(line, "  waiting ");
    progress_add_duration(line, until - now);
    buf_format(line, " (%s)", reason_name(reason));
}

void progress_line(const struct progress *progress, const struct crawl *crawl,
                   uint64_t now, struct buf *line)
{
    const struct crawl_counts *counts = crawl_count(crawl);
    uint64_t done = counts->answered + counts->failed + counts->ambiguous;
    uint64_t left = progress->total > done ? progress->total - done : 0;
    if (progress->total > 0)
        buf_format(line, "%3.0f %%  ", 100.0 * (double)done / (double)progress->total);
    progress_add_count(line, done);
    buf_text(line, " of ");
    progress_add_count(line, progress->total);
    buf_format(line, "  %.*f/s  in flight %zu", progress->rate < 10 ? 1 : 0,
               progress->rate, crawl_flying(crawl));
    if (counts->failed > 0)
        buf_format(line, "  failed %llu", (unsigned long long)counts->failed);
    if (counts->ambiguous > 0)
        buf_format(line, "  ambiguous %llu", (unsigned long long)counts->ambiguous);
    add_wait(crawl, now, line);
    if (progress->rate > 0 && left > 0) {
        buf_text(line, "  left ");
        progress_add_duration(line, (uint64_t)((double)left / progress->rate * 1000.0));
    }
}
