/* SPDX-License-Identifier: MIT */
/* overview: what `harvest status` and `harvest show` tell besides counts and rows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Texts are cut to their places, at a character's end. */
struct teacher_row {
    char identity[128], model[128], wire[32], name[128];
};
/* The first max teachers; *n tells how many there are. */
int store_teachers(struct store *store, struct teacher_row *rows, size_t max, size_t *n,
                   struct err *err);

struct run_row {
    char command[512]; /* "": nothing was ever run */
    int64_t started_ms;
    int64_t ended_ms; /* 0: it goes on, or was killed */
    int exit_code;    /* when it has ended */
};
int store_last_run(struct store *store, struct run_row *row, struct err *err);

struct store_concerns {
    /* Requests that were sent at least once without learning what became of it, answered
     * later or not: each may have been billed once more than the store can tell. */
    uint64_t doubts;
    /* Answers cut off by a token limit that no newer edition stands beside. */
    uint64_t truncated;
};
int store_concern(struct store *store, struct store_concerns *concerns, struct err *err);

/* "answered", "failed", "in flight", "ambiguous" or "planned", as the view `requests`. */
int store_state(struct store *store, int64_t request, char state[16], struct err *err);
