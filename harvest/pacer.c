/* SPDX-License-Identifier: MIT */
#include "harvest/pacer.h"

#include <assert.h>

enum { TOLERANCE_US = 15000, MINUTE_US = 60000000 };

void pacer_init(struct pacer *pacer, const struct pacer_conf *conf)
{
    assert(conf->concurrency >= 1);
    *pacer = (struct pacer){.slots = conf->concurrency};
    if (conf->rpm <= 0)
        return;
    /* N starts take at least (N - 1) * interval - tolerance; rounding up makes the
     * (rpm + 1)-th start fall outside every window of a minute. */
    pacer->tolerance_us = TOLERANCE_US;
    pacer->interval_us = (uint64_t)(MINUTE_US + TOLERANCE_US) / (uint64_t)conf->rpm + 1;
}

uint64_t pacer_wait(const struct pacer *pacer, uint64_t now)
{
    if (pacer->in_flight >= pacer->slots)
        return PACER_REPLY;
    uint64_t wait = now < pacer->paused_until ? pacer->paused_until - now : 0;
    uint64_t earliest = pacer->arrival_us > pacer->tolerance_us
                            ? pacer->arrival_us - pacer->tolerance_us
                            : 0;
    if (pacer->interval_us != 0 && now * 1000 < earliest) {
        uint64_t rate_wait = (earliest - now * 1000 + 999) / 1000;
        wait = rate_wait > wait ? rate_wait : wait;
    }
    return wait;
}

void pacer_start(struct pacer *pacer, uint64_t now)
{
    assert(pacer_wait(pacer, now) == 0);
    pacer->in_flight++;
    if (pacer->interval_us == 0)
        return;
    uint64_t now_us = now * 1000;
    uint64_t base = pacer->arrival_us > now_us ? pacer->arrival_us : now_us;
    pacer->arrival_us = base + pacer->interval_us;
}

void pacer_end(struct pacer *pacer)
{
    assert(pacer->in_flight > 0);
    pacer->in_flight--;
}

void pacer_pause(struct pacer *pacer, uint64_t until)
{
    if (until > pacer->paused_until)
        pacer->paused_until = until;
}
