/* SPDX-License-Identifier: MIT */
#include "store/columns.h"

void columns_allocate(struct columns *columns, uint32_t positions, uint32_t entries,
                      struct arena *arena)
{
    size_t n = positions, words = sizeof(uint32_t);
    *columns = (struct columns){
        .positions = positions,
        .alternatives = arena_alloc(arena, n * words),
        .choices = arena_alloc(arena, n * words),
        .token_at = arena_alloc(arena, (n + 1) * words),
        .value_at = arena_alloc(arena, (n + 1) * words),
        .tokens = arena_alloc(arena, entries * words),
        .values = arena_alloc(arena, entries * sizeof(double)),
    };
}

static uint32_t most_alternatives(const struct columns *c)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < c->positions; i++)
        most = c->alternatives[i] > most ? c->alternatives[i] : most;
    return most;
}

uint32_t *columns_order(const struct columns *c, const uint32_t *at, struct arena *arena)
{
    uint32_t n = at[c->positions], *order = arena_alloc(arena, n * sizeof *order);
    uint32_t most = most_alternatives(c), m = 0;
    if ((uint64_t)most * c->positions > 4 * (uint64_t)n + 4096) {
        for (uint32_t i = 0; i < n; i++)
            order[i] = i;
        return order;
    }
    for (uint32_t k = 0; k < most; k++)
        for (uint32_t i = 0; i < c->positions; i++)
            if (k < c->alternatives[i])
                order[m++] = at[i] + k;
    for (uint32_t i = 0; i < c->positions; i++)
        if (at[i] + c->alternatives[i] < at[i + 1])
            order[m++] = at[i] + c->alternatives[i];
    return order;
}

uint32_t *columns_positions(const struct columns *c, const uint32_t *at,
                            struct arena *arena)
{
    uint32_t *positions = arena_alloc(arena, at[c->positions] * sizeof *positions);
    for (uint32_t i = 0; i < c->positions; i++)
        for (uint32_t j = at[i]; j < at[i + 1]; j++)
            positions[j] = i;
    return positions;
}

void planes_add(struct buf *out, const uint32_t *words, uint32_t n, unsigned width)
{
    if (!buf_reserve(out, (size_t)n * width))
        return;
    unsigned char *p = (unsigned char *)out->p + out->n;
    for (unsigned plane = 0; plane < width; plane++)
        for (uint32_t i = 0; i < n; i++)
            *p++ = (unsigned char)(words[i] >> (8 * plane));
    out->n += (size_t)n * width;
    out->p[out->n] = '\0';
}

bool planes_read(struct span bytes, size_t *at, uint32_t *words, uint32_t n,
                 unsigned width)
{
    if ((size_t)n * width > bytes.n - *at)
        return false;
    const unsigned char *p = (const unsigned char *)bytes.p + *at;
    memset(words, 0, n * sizeof *words);
    for (unsigned plane = 0; plane < width; plane++)
        for (uint32_t i = 0; i < n; i++)
            words[i] |= (uint32_t)*p++ << (8 * plane);
    *at += (size_t)n * width;
    return true;
}
