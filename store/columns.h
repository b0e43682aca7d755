/* SPDX-License-Identifier: MIT */
/* columns: what packing and unpacking have in common (see pack.h). */
#pragma once

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "store/pack.h"

/* Another precision in between would give other values on other machines. */
static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 16,
              "doubles are computed as doubles");

enum {
    PACK_VERSION = 1,
    GRID_MAX = 12,   /* finest grid: 2^-12 */
    GRID_NONE = 255, /* the position is not on one */
    GRID_STEP_MAX = 65535,
    GRID_FAR = 1 << 24, /* steps from the first value at most */
};

static inline bool choice_has_token(uint32_t choice)
{
    return choice % 2 == 0;
}

static inline bool choice_has_value(uint32_t choice)
{
    return choice == 0;
}

static inline uint32_t f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Log-probabilities are mostly negative, and zero comes with either sign: an order of all
 * float32 in which those that occur are small. 0.0 is 0, -0.0 stands where 0.0 would. */
static inline uint32_t f32_word(float value)
{
    uint32_t word = f32_bits(isnan(value) ? NAN : value) ^ 0x80000000u;
    return (word & 0x7fffffffu) == 0 ? word ^ 0x80000000u : word;
}

static inline float f32_of_word(uint32_t word)
{
    word = (word & 0x7fffffffu) == 0 ? word : word ^ 0x80000000u;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static inline double grid_scale(unsigned grid)
{
    return (double)(1u << grid);
}

/* What a teacher computes whose logits are multiples of 2^-grid: the largest value and an
 * exact difference, added once in float32. */
static inline float grid_value(float first, int64_t steps, unsigned grid)
{
    return (float)((double)first - (double)steps / grid_scale(grid));
}

static inline unsigned place_width(uint32_t unique)
{
    return unique <= 1 << 8 ? 1 : unique <= 1 << 16 ? 2 : 3;
}

void columns_allocate(struct columns *columns, uint32_t positions, uint32_t entries,
                      struct arena *arena);

/* The order in which a list's items are stored: all first ones, all second ones, …, and
 * last those that are the chosen entry's own; position by position where counts differ so
 * much that walking by rank would cost more than the list is long. */
uint32_t *columns_order(const struct columns *columns, const uint32_t *at,
                        struct arena *arena);
/* The position that each item of a list belongs to. */
uint32_t *columns_positions(const struct columns *columns, const uint32_t *at,
                            struct arena *arena);

/* Appends all lowest bytes, all second bytes, … of the words. */
void planes_add(struct buf *out, const uint32_t *words, uint32_t n, unsigned width);
/* Reads them and moves *at behind; false: cut off. */
bool planes_read(struct span bytes, size_t *at, uint32_t *words, uint32_t n,
                 unsigned width);
