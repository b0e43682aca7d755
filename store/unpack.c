/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/number.h"
#include "store/columns.h"
#include "store/varint.h"

/* A packed track being read; bad once anything did not fit. */
struct reader {
    struct span bytes;
    size_t at;
    bool bad;
};

static uint32_t take(struct reader *r, uint64_t most)
{
    uint64_t value = 0;
    if (!varint_read(r->bytes, &r->at, &value) || value > most) {
        r->bad = true;
        return 0;
    }
    return (uint32_t)value;
}

static unsigned char take_byte(struct reader *r)
{
    if (r->at >= r->bytes.n) {
        r->bad = true;
        return 0;
    }
    return (unsigned char)r->bytes.p[r->at++];
}

static void take_planes(struct reader *r, uint32_t *words, uint32_t n, unsigned width)
{
    r->bad = r->bad || !planes_read(r->bytes, &r->at, words, n, width);
}

/* ---- counts ---- */

/* Every entry takes a byte of what was packed, which bounds what is allocated. */
static void take_counts(struct reader *r, struct arena *arena, struct columns *c)
{
    uint64_t most = r->bytes.n, sum = 0;
    uint32_t positions = take(r, most), equal = take(r, most + 1);
    uint32_t *alternatives = arena_alloc(arena, (positions + 1) * sizeof *alternatives);
    for (uint32_t i = 0; i < positions && !r->bad; i++) {
        alternatives[i] = equal != 0 ? equal - 1 : take(r, most);
        sum += alternatives[i] + 1;
        r->bad = r->bad || sum > 2 * most;
    }
    if (r->bad)
        return;
    unsigned shape = c->shape, style = c->style;
    columns_allocate(c, positions, (uint32_t)sum, arena);
    c->shape = shape;
    c->style = style;
    c->alternatives = alternatives;
    c->token_at[0] = c->value_at[0] = 0;
    for (uint32_t i = 0; i < positions; i++) {
        uint32_t choice = take(r, 2 * (uint64_t)alternatives[i]);
        c->choices[i] = choice;
        c->token_at[i + 1] = c->token_at[i] + alternatives[i] + choice_has_token(choice);
        c->value_at[i + 1] = c->value_at[i] + alternatives[i] + choice_has_value(choice);
    }
}

/* ---- tokens ---- */

static void take_tokens(struct reader *r, struct arena *arena, struct columns *c)
{
    uint32_t n = c->token_at[c->positions], unique = take(r, n), last = 0;
    uint32_t *table = arena_alloc(arena, (unique + 1) * sizeof *table);
    uint32_t *places = arena_alloc(arena, (n + 1) * sizeof *places);
    for (uint32_t i = 0; i < unique; i++)
        table[i] = last += take(r, UINT32_MAX - last);
    take_planes(r, places, n, place_width(unique));
    if (r->bad)
        return;
    uint32_t *order = columns_order(c, c->token_at, arena);
    for (uint32_t i = 0; i < n && !r->bad; i++) {
        r->bad = places[i] >= unique;
        if (!r->bad)
            c->tokens[order[i]] = table[places[i]];
    }
}

/* ---- values ---- */

static void take_f64(struct reader *r, struct arena *arena, struct columns *c)
{
    uint32_t n = c->value_at[c->positions], *order = columns_order(c, c->value_at, arena);
    uint32_t *high = arena_alloc(arena, n * sizeof *high);
    uint32_t *low = arena_alloc(arena, n * sizeof *low);
    take_planes(r, high, n, 4);
    take_planes(r, low, n, 4);
    for (uint32_t i = 0; i < n && !r->bad; i++) {
        uint64_t bits = (uint64_t)high[i] << 32 | low[i];
        memcpy(&c->values[order[i]], &bits, sizeof bits);
    }
}

/* The double that the teacher's decimal of this float32 means. */
static double value_of(float value, unsigned style, struct buf *text)
{
    if ((style & NUMBER_F32) != 0 || isnan(value))
        return (double)value;
    struct number number = {.value = (double)value};
    buf_reset(text);
    number_add_f32(text, value);
    number_read(buf_view(text), &number);
    return number.value;
}

/* words holds the float32 of each value. */
static void put_values(struct columns *c, const uint32_t *words)
{
    struct buf text;
    buf_init(&text, 100);
    uint32_t n = c->value_at[c->positions];
    for (uint32_t i = 0; i < n; i++)
        c->values[i] = value_of(f32_of_word(words[i]), c->style, &text);
    buf_clear(&text);
}

static void take_f32(struct reader *r, struct arena *arena, struct columns *c)
{
    uint32_t n = c->value_at[c->positions], *order = columns_order(c, c->value_at, arena);
    uint32_t *stored = arena_alloc(arena, n * sizeof *stored);
    uint32_t *words = arena_alloc(arena, n * sizeof *words);
    take_planes(r, stored, n, 4);
    if (r->bad)
        return;
    for (uint32_t i = 0; i < n; i++)
        words[order[i]] = stored[i];
    for (uint32_t p = 0; p < c->positions; p++)
        for (uint32_t i = c->value_at[p] + 1; i < c->value_at[p + 1]; i++)
            words[i] += words[i - 1];
    put_values(c, words);
}

/* What follows the first value of each position: steps on its grid, or differences. */
struct lattice {
    uint32_t *words; /* first values in place, the rest to be filled in */
    unsigned char *grids;
    uint32_t n_steps, n_deltas;
};

static void take_grids(struct reader *r, struct arena *arena, const struct columns *c,
                       struct lattice *lattice)
{
    uint32_t *first = arena_alloc(arena, c->positions * sizeof *first);
    lattice->words =
        arena_alloc(arena, c->value_at[c->positions] * sizeof *lattice->words);
    lattice->grids = arena_alloc(arena, c->positions);
    lattice->n_steps = lattice->n_deltas = 0;
    take_planes(r, first, c->positions, 4);
    for (uint32_t p = 0; p < c->positions && !r->bad; p++) {
        uint32_t more = c->value_at[p + 1] - c->value_at[p] - 1;
        lattice->words[c->value_at[p]] = first[p];
        lattice->grids[p] = more == 0 ? GRID_NONE : take_byte(r);
        if (lattice->grids[p] == GRID_NONE)
            lattice->n_deltas += more;
        else
            lattice->n_steps += more;
        r->bad =
            r->bad || (lattice->grids[p] > GRID_MAX && lattice->grids[p] != GRID_NONE);
    }
}

static void add_differences(const struct columns *c, struct lattice *lattice)
{
    for (uint32_t p = 0; p < c->positions; p++) {
        uint32_t *words = lattice->words + c->value_at[p];
        uint32_t n = c->value_at[p + 1] - c->value_at[p], at = 0;
        float first = f32_of_word(words[0]);
        for (uint32_t i = 1; i < n; i++) {
            at += words[i];
            if (lattice->grids[p] == GRID_NONE)
                words[i] += words[i - 1];
            else
                words[i] = f32_word(grid_value(first, at, lattice->grids[p]));
        }
    }
}

static void take_lattice(struct reader *r, struct arena *arena, struct columns *c)
{
    struct lattice lattice;
    take_grids(r, arena, c, &lattice);
    if (r->bad)
        return;
    uint32_t *steps = arena_alloc(arena, lattice.n_steps * sizeof *steps);
    uint32_t *deltas = arena_alloc(arena, lattice.n_deltas * sizeof *deltas);
    take_planes(r, steps, lattice.n_steps, 2);
    take_planes(r, deltas, lattice.n_deltas, 4);
    if (r->bad)
        return;
    uint32_t n = c->value_at[c->positions], *order = columns_order(c, c->value_at, arena);
    uint32_t *position = columns_positions(c, c->value_at, arena);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = order[i], p = position[at];
        if (at != c->value_at[p])
            lattice.words[at] = lattice.grids[p] == GRID_NONE ? *deltas++ : *steps++;
    }
    add_differences(c, &lattice);
    put_values(c, lattice.words);
}

/* ---- the whole ---- */

int columns_unpack(struct span packed, struct arena *arena, struct columns *columns)
{
    struct reader r = {.bytes = packed};
    struct columns c = {0};
    r.bad = take_byte(&r) != PACK_VERSION;
    unsigned form = take_byte(&r);
    c.shape = take(&r, UINT32_MAX);
    c.style = take(&r, UINT32_MAX);
    take_counts(&r, arena, &c);
    if (r.bad)
        return -1;
    take_tokens(&r, arena, &c);
    if (r.bad)
        return -1;
    if (form == VALUES_F64)
        take_f64(&r, arena, &c);
    else if (form == VALUES_F32)
        take_f32(&r, arena, &c);
    else if (form == VALUES_LATTICE)
        take_lattice(&r, arena, &c);
    else
        r.bad = true;
    if (r.bad || r.at != packed.n)
        return -1;
    *columns = c;
    return 0;
}

void columns_track(const struct columns *columns, struct arena *arena,
                   struct track *track, uint32_t **numbers)
{
    const struct columns *c = columns;
    uint32_t entries = c->positions;
    for (uint32_t i = 0; i < c->positions; i++)
        entries += c->alternatives[i];
    *track = (struct track){
        .entries = arena_new(arena, entries * sizeof *track->entries),
        .first = arena_alloc(arena, ((size_t)c->positions + 1) * sizeof *track->first),
        .positions = c->positions,
        .style = c->style,
        .shape = c->shape,
    };
    *numbers = arena_alloc(arena, entries * sizeof **numbers);
    uint32_t at = 0;
    for (uint32_t i = 0; i < c->positions; i++) {
        uint32_t others = c->alternatives[i], choice = c->choices[i];
        uint32_t k = choice == 0 ? others : (choice - 1) / 2;
        uint32_t token = choice_has_token(choice) ? others : k;
        track->first[i] = at;
        track->entries[at].value = c->values[c->value_at[i] + k];
        (*numbers)[at++] = c->tokens[c->token_at[i] + token];
        for (uint32_t j = 0; j < others; j++) {
            track->entries[at].value = c->values[c->value_at[i] + j];
            (*numbers)[at++] = c->tokens[c->token_at[i] + j];
        }
    }
    track->first[c->positions] = at;
}

/* ---- JSON ---- */

static void add_members(const struct track *track, const struct logprob *entry,
                        struct buf *out)
{
    buf_byte(out, '{');
    if ((track->shape & SHAPE_ID) != 0)
        buf_format(out, "\"id\":%lld,", (long long)entry->id);
    buf_text(out, "\"token\":\"");
    buf_span(out, entry->token);
    buf_text(out, "\",");
    if ((track->shape & SHAPE_BYTES) != 0) {
        buf_text(out, "\"bytes\":");
        buf_span(out, entry->bytes);
        buf_byte(out, ',');
    }
    buf_text(out, "\"logprob\":");
    if (isnan(entry->value))
        buf_text(out, "null");
    else if ((track->style & NUMBER_F32_SHORT) != 0)
        number_add_f32(out, (float)entry->value);
    else
        number_add_f64(out, entry->value);
}

void track_add_json(const struct track *track, struct buf *out)
{
    for (uint32_t i = 0; i < track->positions; i++) {
        uint32_t from = track->first[i], to = track->first[i + 1];
        if (i != 0)
            buf_byte(out, ',');
        add_members(track, &track->entries[from], out);
        if ((track->shape & SHAPE_TOP) != 0) {
            buf_text(out, ",\"top_logprobs\":[");
            for (uint32_t j = from + 1; j < to; j++) {
                if (j != from + 1)
                    buf_byte(out, ',');
                add_members(track, &track->entries[j], out);
                buf_byte(out, '}');
            }
            buf_byte(out, ']');
        }
        buf_byte(out, '}');
    }
}
