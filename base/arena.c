/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#include "base/mem.h"

/* Small enough for the quick lists of malloc: most jobs need no more. */
enum { FIRST_BLOCK = 960 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) char data[];
};

static void add_block(struct arena *arena, size_t size)
{
    struct arena_block *block = mem_grow(NULL, sizeof *block + size, 1);
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->at = block->data;
    arena->end = block->data + size;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    size = size == 0 ? align : (size + align - 1) / align * align; /* never NULL */
    if ((size_t)(arena->end - arena->at) < size) {
        size_t last = arena->blocks == NULL ? FIRST_BLOCK / 2 : arena->blocks->size;
        add_block(arena, size > last * 2 ? size : last * 2);
    }
    void *p = arena->at;
    arena->at += size;
    return p;
}

void *arena_new(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

char *arena_str(struct arena *arena, const char *text)
{
    return (char *)arena_span(arena, span_of(text)).p;
}

struct span arena_span(struct arena *arena, struct span span)
{
    if (span.p == NULL)
        return span;
    char *p = arena_alloc(arena, span.n + 1);
    memcpy(p, span.p, span.n);
    p[span.n] = '\0';
    return (struct span){p, span.n};
}

void arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL && block->next != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = block;
    arena->at = block == NULL ? NULL : block->data;
    arena->end = block == NULL ? NULL : block->data + block->size;
}

void arena_clear(struct arena *arena)
{
    arena_reset(arena);
    free(arena->blocks);
    *arena = (struct arena){0};
}
