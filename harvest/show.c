/* SPDX-License-Identifier: MIT */
#include "harvest/show.h"

#include "store/overview.h"

int shown_load(struct store *store, int64_t request, struct shown *shown, struct err *err)
{
    if (store_row(store, request, &shown->arena, &shown->row, &shown->answered, err) !=
            0 ||
        store_attempts(store, request, &shown->arena, &shown->attempts,
                       &shown->n_attempts, err) != 0 ||
        store_state(store, request, shown->state, err) != 0)
        return -1;
    return store_tracks(store, request, &shown->arena, shown->tracks, err);
}

void shown_clear(struct shown *shown)
{
    arena_clear(&shown->arena);
    *shown = (struct shown){0};
}
