/* SPDX-License-Identifier: MIT */
/* window: how much happened in the last second or minute, on a grid of a hundredth of it.
 *
 * Memory does not grow with the rate, so that a bench can run for as long as it likes. */
#pragma once

#include <stdint.h>

enum { WINDOW_BINS = 100 };

struct window {
    uint64_t bin_us; /* width of a bin: the window is WINDOW_BINS of them */
    uint64_t head;   /* number of the newest bin since the beginning of time */
    uint64_t total, most;
    uint32_t bins[WINDOW_BINS];
};

/* Zeroed but for bin_us, a window is empty. Time never goes back. */
void window_add(struct window *window, uint64_t now_us);

/* How many there were in the window that ends now. */
uint64_t window_total(struct window *window, uint64_t now_us);

/* Microseconds until the oldest of them leaves the window; 0: it is empty. */
uint64_t window_relief(struct window *window, uint64_t now_us);
