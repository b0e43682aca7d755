/* SPDX-License-Identifier: MIT */
/* pack: the distributions of one text in a fraction of their JSON, without loss.
 *
 * A track becomes columns: how many alternatives a position has, which of them was chosen,
 * tokens as numbers of the teacher's vocabulary, values in the smallest exact form that
 * fits (differences on a grid of powers of two where logits were bfloat16, differences of
 * float32, or doubles). What unpack gives back equals what was packed bit for bit; the
 * bytes are in doc/SCHEMA.md. Knows neither SQLite nor zstd. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/record.h"

/* How values are kept. The numbers are stored. */
enum pack_values {
    VALUES_F64 = 0,
    VALUES_F32 = 1,     /* float32 and how the teacher prints them, see `style` */
    VALUES_LATTICE = 2, /* the same, by differences on a grid where they fit */
};

/* A track between its two forms. Lists go by position: the alternatives, then the chosen
 * token or value unless it equals an alternative's. */
struct columns {
    uint32_t positions;
    unsigned shape, style;
    uint32_t *alternatives; /* how many, by position */
    /* By position: 0 the chosen entry is in both lists, 1 + 2 * k it equals alternative k,
     * 2 + 2 * k only its value does and its token is in the list. */
    uint32_t *choices;
    uint32_t *token_at, *value_at; /* where a position's lists begin, positions + 1 */
    uint32_t *tokens;              /* vocabulary numbers */
    double *values;
    /* After columns_of: the entry that each number in `tokens` stands for. */
    const struct logprob **token_entries;
};

/* Takes a track apart into the arena. tokens is left for the caller to fill from
 * token_entries. */
void columns_of(const struct track *track, struct arena *arena, struct columns *columns);

/* Appends the packed form. *form tells how the values went. */
void columns_pack(const struct columns *columns, struct arena *arena, struct buf *out,
                  enum pack_values *form);

/* Reads the packed form into the arena; -1: damaged. token_entries is NULL. */
int columns_unpack(struct span packed, struct arena *arena, struct columns *columns);

/* The entries of a track: values are filled in, and *numbers names the token of each. */
void columns_track(const struct columns *columns, struct arena *arena,
                   struct track *track, uint32_t **numbers);

/* Appends the inside of the JSON array that the track came from, equal in value to it.
 * Requires: no infinite value. */
void track_add_json(const struct track *track, struct buf *out);
