/* SPDX-License-Identifier: MIT */
/* show: everything about one request, for people and for scripts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

struct shown {
    struct arena arena; /* holds the rest */
    struct row row;
    bool answered;
    char state[16]; /* see store_state */
    struct attempt *attempts;
    size_t n_attempts;
    struct track tracks[TRACKS];
};

int shown_load(struct store *store, int64_t request, struct shown *shown,
               struct err *err);
void shown_clear(struct shown *shown);

/* Append a page of text, or one JSON object on one line. */
void shown_add_text(struct buf *out, const struct shown *shown);
void shown_add_json(struct buf *out, const struct shown *shown);
