/* SPDX-License-Identifier: MIT */
/* clock: the time of day, for labels in records. Waiting and pacing use the loop's steady
 * clock instead: this one may jump. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
