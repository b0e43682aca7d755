/* SPDX-License-Identifier: MIT */
/* tokens: made-up distributions, as a teacher would print them and as a codec would read
 * them. The same numbers always give the same ones. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/record.h"

enum tokens_numbers {
    TOKENS_F32,        /* float32 logits, printed as doubles: llama.cpp */
    TOKENS_F32_SHORT,  /* the same with the shortest digits */
    TOKENS_BF16,       /* bfloat16 logits, printed as doubles: vLLM */
    TOKENS_BF16_SHORT, /* with the shortest digits: OpenAI */
    TOKENS_F64,        /* doubles */
};

struct tokens_spec {
    uint64_t seed;
    uint32_t positions;
    uint32_t alternatives; /* of each position; ragged: at most */
    enum tokens_numbers numbers;
    unsigned shape;
    bool ragged;  /* counts of alternatives differ */
    bool outside; /* the chosen token is not among them at every third position */
    bool odd;     /* null, -9999, 0, -0 and the lowest float32 among the values */
    bool respelt; /* the chosen token has other bytes than its alternative has */
};

/* Appends the JSON list to `json`, which must have room and not move any more, and fills in
 * the track, whose lists are in the arena. */
void tokens_make(const struct tokens_spec *spec, struct buf *json, struct arena *arena,
                 struct track *track);
