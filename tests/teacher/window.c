/* SPDX-License-Identifier: MIT */
#include "tests/teacher/window.h"

#include <string.h>

static void advance(struct window *window, uint64_t now_us)
{
    uint64_t bin = now_us / window->bin_us;
    if (bin >= window->head + WINDOW_BINS) {
        memset(window->bins, 0, sizeof window->bins);
        window->total = 0;
        window->head = bin;
    }
    while (window->head < bin) {
        uint32_t *oldest = &window->bins[++window->head % WINDOW_BINS];
        window->total -= *oldest;
        *oldest = 0;
    }
}

void window_add(struct window *window, uint64_t now_us)
{
    advance(window, now_us);
    window->bins[window->head % WINDOW_BINS]++;
    window->total++;
    if (window->most < window->total)
        window->most = window->total;
}

uint64_t window_total(struct window *window, uint64_t now_us)
{
    advance(window, now_us);
    return window->total;
}

uint64_t window_relief(struct window *window, uint64_t now_us)
{
    advance(window, now_us);
    for (uint64_t age = WINDOW_BINS; window->total > 0 && age-- > 0;)
        if (age <= window->head && window->bins[(window->head - age) % WINDOW_BINS] > 0)
            return (window->head - age + WINDOW_BINS) * window->bin_us - now_us;
    return 0;
}
