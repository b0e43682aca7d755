/* SPDX-License-Identifier: MIT */
/* layout: how a reply lies in its blob.
 *
 * payload = limits | body | extras
 *
 * The body lacks the inside of the arrays that the packed tracks restore; their brackets
 * stay, so that it is still JSON. Texts that an answer has and the body does not contain
 * (the body had to be repaired first) follow as extras. Offsets of answers and cuts count
 * from the body's first byte. doc/SCHEMA.md has the bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"

struct cut {
    size_t from, to; /* what is left out of the body, brackets not included */
    int64_t request; /* whose track restores it */
    int track;
};

struct layout {
    struct span body;
    struct cut *cuts; /* sorted, apart from each other */
    size_t n;
    size_t size;         /* of the body without them */
    struct buf *payload; /* filled by layout_start, extras added by layout_place */
    size_t limits;
};

/* Adds one cut unless it overlaps another. Returns whether it will be made. */
bool layout_cut(struct layout *layout, struct arena *arena, const struct cut *cut);
/* Fills the payload. No cuts after this. */
void layout_start(struct layout *layout, struct span limits);
/* Where a text lies: appends its place (1 + offset, length; 0: absent) to `places`. */
void layout_place(struct layout *layout, struct span text, struct buf *places);
/* Appends the cuts: offset from the one before, request (relative), track. */
void layout_add_cuts(const struct layout *layout, int64_t request, struct buf *out);

/* Reads the next place; false: damaged. body is the payload without limits. */
bool layout_read_place(struct span places, size_t *at, struct span body,
                       struct span *text);
/* Reads the next cut, from == to being where its text belongs in the stored body. */
bool layout_read_cut(struct span cuts, size_t *at, int64_t request, struct cut *cut);
