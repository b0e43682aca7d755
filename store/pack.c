/* SPDX-License-Identifier: MIT */
#include "store/pack.h"

#include <math.h>
#include <string.h>

#include "store/columns.h"
#include "store/varint.h"

/* ---- a track as columns ---- */

static bool same_text(struct span a, struct span b)
{
    return (a.p == NULL) == (b.p == NULL) && span_equal(a, b);
}

static bool same_value(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The first alternative that equals the chosen entry wholly, else in value, else 0. */
static uint32_t choice_of(const struct logprob *chosen,
                          const struct logprob *alternatives, uint32_t n)
{
    uint32_t choice = 0;
    for (uint32_t k = 0; k < n; k++) {
        const struct logprob *a = &alternatives[k];
        if (!same_value(a->value, chosen->value))
            continue;
        if (a->id == chosen->id && same_text(a->token, chosen->token) &&
            same_text(a->bytes, chosen->bytes))
            return 1 + 2 * k;
        if (choice == 0)
            choice = 2 + 2 * k;
    }
    return choice;
}

void columns_of(const struct track *track, struct arena *arena, struct columns *columns)
{
    uint32_t n = track->positions, entries = track->first[n];
    struct columns *c = columns;
    columns_allocate(c, n, entries, arena);
    c->shape = track->shape;
    c->style = track->style;
    c->token_entries = arena_alloc(arena, entries * sizeof *c->token_entries);
    uint32_t tokens = 0, values = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct logprob *chosen = &track->entries[track->first[i]];
        uint32_t others = track->first[i + 1] - track->first[i] - 1;
        uint32_t choice = choice_of(chosen, chosen + 1, others);
        c->alternatives[i] = others;
        c->choices[i] = choice;
        c->token_at[i] = tokens;
        c->value_at[i] = values;
        for (uint32_t k = 1; k <= others; k++) {
            c->token_entries[tokens++] = &chosen[k];
            c->values[values++] = chosen[k].value;
        }
        if (choice_has_token(choice))
            c->token_entries[tokens++] = chosen;
        if (choice_has_value(choice))
            c->values[values++] = chosen->value;
    }
    c->token_at[n] = tokens;
    c->value_at[n] = values;
}

/* ---- tokens ---- */

/* Sorts numbers below VOCAB_MAX (22 bits) in two passes of 11. */
static void sort_numbers(uint32_t *numbers, uint32_t *spare, uint32_t n)
{
    for (int shift = 0; shift < 22; shift += 11) {
        uint32_t starts[2048] = {0};
        for (uint32_t i = 0; i < n; i++)
            starts[numbers[i] >> shift & 2047]++;
        for (uint32_t i = 0, sum = 0; i < 2048; i++) {
            uint32_t count = starts[i];
            starts[i] = sum;
            sum += count;
        }
        for (uint32_t i = 0; i < n; i++)
            spare[starts[numbers[i] >> shift & 2047]++] = numbers[i];
        uint32_t *swap = numbers;
        numbers = spare;
        spare = swap;
    }
}

static uint32_t make_unique(uint32_t *sorted, uint32_t n)
{
    uint32_t unique = 0;
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            sorted[unique++] = sorted[i];
    return unique;
}

static uint32_t rank_of(const uint32_t *table, uint32_t n, uint32_t number)
{
    uint32_t low = 0;
    while (n > 1) {
        uint32_t half = n / 2;
        low += table[low + half] <= number ? half : 0;
        n -= half;
    }
    return low;
}

/* The distinct numbers in order, by their distances; then for each token its place there. */
static void pack_tokens(const struct columns *c, struct arena *arena, struct buf *out)
{
    uint32_t n = c->token_at[c->positions];
    uint32_t *table = arena_alloc(arena, n * sizeof *table);
    uint32_t *places = arena_alloc(arena, n * sizeof *places);
    memcpy(table, c->tokens, n * sizeof *table);
    sort_numbers(table, places, n);
    uint32_t unique = make_unique(table, n), last = 0;
    varint_add(out, unique);
    for (uint32_t i = 0; i < unique; i++) {
        varint_add(out, table[i] - last);
        last = table[i];
    }
    uint32_t *order = columns_order(c, c->token_at, arena);
    for (uint32_t i = 0; i < n; i++)
        places[i] = rank_of(table, unique, c->tokens[order[i]]);
    planes_add(out, places, n, place_width(unique));
}

/* ---- values ---- */

static void pack_f64(const struct columns *c, struct arena *arena, struct buf *out)
{
    uint32_t n = c->value_at[c->positions], *order = columns_order(c, c->value_at, arena);
    uint32_t *half = arena_alloc(arena, n * sizeof *half);
    for (int shift = 32; shift >= 0; shift -= 32) {
        for (uint32_t i = 0; i < n; i++) {
            uint64_t bits;
            memcpy(&bits, &c->values[order[i]], sizeof bits);
            half[i] = (uint32_t)(bits >> shift);
        }
        planes_add(out, half, n, 4);
    }
}

/* True when every value is a float32 in the double that the teacher's decimals mean. */
static bool all_f32(const struct columns *c)
{
    if ((c->style & (NUMBER_F32 | NUMBER_F32_SHORT)) == 0)
        return false;
    if ((c->style & NUMBER_F32) == 0)
        return true; /* shortest decimals of float32, as their reader has verified */
    uint32_t n = c->value_at[c->positions];
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(c->values[i]) &&
            !same_value((double)(float)c->values[i], c->values[i]))
            return false;
    return true;
}

/* The grid's exponent at which each value of the position is the first plus a multiple,
 * as steps down from one to the next; GRID_NONE when there is no such grid. */
static unsigned find_grid(const double *values, uint32_t n, uint32_t *steps)
{
    float first = (float)values[0];
    if (!isfinite(first))
        return GRID_NONE;
    for (unsigned grid = 0; grid <= GRID_MAX; grid++) {
        uint32_t j = 1;
        int64_t last = 0;
        for (; j < n; j++) {
            double distance = (values[j] - values[0]) * grid_scale(grid);
            if (!(distance <= 0 && distance > -GRID_FAR))
                return GRID_NONE; /* out of order, too far, or not a number */
            int64_t at = -llrint(distance);
            if (at < last || at - last > GRID_STEP_MAX ||
                f32_bits(grid_value(first, at, grid)) != f32_bits((float)values[j]))
                break;
            steps[j] = (uint32_t)(at - last);
            last = at;
        }
        if (j == n)
            return grid;
    }
    return GRID_NONE;
}

/* By position the first value, then what follows as differences. */
struct differences {
    uint32_t *first;
    unsigned char *grids;      /* of positions with more than one value */
    uint32_t *steps;           /* by value, of positions on a grid */
    uint32_t *deltas;          /* by value, of the others; with no grids at all: of all */
    uint32_t fitting, several; /* positions on a grid, and that could be */
};

static void find_differences(const struct columns *c, struct arena *arena,
                             struct differences *d)
{
    uint32_t n = c->value_at[c->positions];
    d->first = arena_alloc(arena, c->positions * sizeof *d->first);
    d->grids = arena_alloc(arena, c->positions);
    d->steps = arena_alloc(arena, n * sizeof *d->steps);
    d->deltas = arena_alloc(arena, n * sizeof *d->deltas);
    d->fitting = d->several = 0;
    for (uint32_t i = 0; i < c->positions; i++) {
        uint32_t at = c->value_at[i], m = c->value_at[i + 1] - at;
        uint32_t last = 0;
        for (uint32_t j = 0; j < m; j++) {
            uint32_t word = f32_word((float)c->values[at + j]);
            d->deltas[at + j] = word - last;
            last = word;
        }
        d->first[i] = d->deltas[at]; /* a position has one value at least */
        d->grids[i] = GRID_NONE;
        if (m < 2)
            continue;
        d->grids[i] = (unsigned char)find_grid(c->values + at, m, d->steps + at);
        d->several++;
        d->fitting += d->grids[i] != GRID_NONE;
    }
}

static void pack_f32(const struct columns *c, const struct differences *d,
                     struct arena *arena, struct buf *out)
{
    uint32_t n = c->value_at[c->positions], *order = columns_order(c, c->value_at, arena);
    uint32_t *words = arena_alloc(arena, n * sizeof *words);
    for (uint32_t i = 0; i < n; i++)
        words[i] = d->deltas[order[i]];
    planes_add(out, words, n, 4);
}

static void pack_lattice(const struct columns *c, const struct differences *d,
                         struct arena *arena, struct buf *out)
{
    uint32_t n = c->value_at[c->positions], *order = columns_order(c, c->value_at, arena);
    planes_add(out, d->first, c->positions, 4);
    for (uint32_t i = 0; i < c->positions; i++)
        if (c->value_at[i + 1] - c->value_at[i] > 1)
            buf_byte(out, (char)d->grids[i]);

    uint32_t *position = columns_positions(c, c->value_at, arena);
    uint32_t *steps = arena_alloc(arena, n * sizeof *steps), n_steps = 0;
    uint32_t *deltas = arena_alloc(arena, n * sizeof *deltas), n_deltas = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = order[i], p = position[at];
        if (at == c->value_at[p])
            continue;
        if (d->grids[p] != GRID_NONE)
            steps[n_steps++] = d->steps[at];
        else
            deltas[n_deltas++] = d->deltas[at];
    }
    planes_add(out, steps, n_steps, 2);
    planes_add(out, deltas, n_deltas, 4);
}

/* ---- the whole ---- */

static void pack_counts(const struct columns *c, struct buf *out)
{
    bool equal = true;
    for (uint32_t i = 1; i < c->positions; i++)
        equal = equal && c->alternatives[i] == c->alternatives[0];
    varint_add(out, equal ? 1 + (uint64_t)c->alternatives[0] : 0);
    for (uint32_t i = 0; i < c->positions && !equal; i++)
        varint_add(out, c->alternatives[i]);
    for (uint32_t i = 0; i < c->positions; i++)
        varint_add(out, c->choices[i]);
}

void columns_pack(const struct columns *columns, struct arena *arena, struct buf *out,
                  enum pack_values *form)
{
    struct differences d = {0};
    *form = VALUES_F64;
    if (all_f32(columns)) {
        find_differences(columns, arena, &d);
        *form = d.fitting > 0 && d.fitting >= d.several / 2 ? VALUES_LATTICE : VALUES_F32;
    }
    buf_byte(out, PACK_VERSION);
    buf_byte(out, (char)*form);
    varint_add(out, columns->shape);
    varint_add(out, columns->style);
    varint_add(out, columns->positions);
    pack_counts(columns, out);
    pack_tokens(columns, arena, out);
    if (*form == VALUES_F64)
        pack_f64(columns, arena, out);
    else if (*form == VALUES_F32)
        pack_f32(columns, &d, arena, out);
    else
        pack_lattice(columns, &d, arena, out);
}
