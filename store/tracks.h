/* SPDX-License-Identifier: MIT */
/* tracks: packed distributions as rows, written with their answer and read back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

/* Whose tokens it speaks, and which text of which answer it belongs to. */
struct track_place {
    int64_t teacher, request;
    int name; /* enum track_name */
};

/* Packs one track of an answer into its row. *whole: everything is in the row, so that the
 * array of an understood track can be restored from it. False, with no row, when the
 * vocabulary is full or a number cannot be kept; false, with one, when JSON has no
 * spelling for a number (infinity). */
int track_put(struct store *store, const struct track_place *place,
              const struct track *track, bool *whole, struct err *err);

/* The track of an answer in the arena; positions == 0: there is no row. */
int track_get(struct store *store, int64_t request, int name, struct arena *arena,
              struct track *track, struct err *err);
