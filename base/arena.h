/* SPDX-License-Identifier: MIT */
/* arena: allocate many, free once. One per job: prompt copy, request, decoded answer. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    char *at, *end;
};

/* An arena is empty when zeroed. Memory is aligned for any type and zeroed by arena_new.
 */
void *arena_alloc(struct arena *arena, size_t size); /* not zeroed */
void *arena_new(struct arena *arena, size_t size);
char *arena_str(struct arena *arena, const char *text);
struct span arena_span(struct arena *arena,
                       struct span span); /* copy, with a NUL behind */
void arena_reset(struct arena *arena);    /* keeps its first block for use again */
void arena_clear(struct arena *arena);
