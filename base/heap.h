/* SPDX-License-Identifier: MIT */
/* heap: an intrusive binary min-heap of things that wait for a time.
 *
 * The node lives in its owner and knows its place, so that removal from the middle costs
 * no search. Equal times leave in the order of insertion: replays repeat bit for bit. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

struct heap_node {
    uint64_t at;
    uint64_t order; /* set by heap_insert */
    size_t place;   /* index + 1; 0: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t n, cap;
    uint64_t next_order;
};

static inline int heap_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static inline void heap_put(struct heap *heap, size_t i, struct heap_node *node)
{
    heap->nodes[i] = node;
    node->place = i + 1;
}

static inline void heap_up(struct heap *heap, size_t i, struct heap_node *node)
{
    for (; i > 0 && heap_before(node, heap->nodes[(i - 1) / 2]); i = (i - 1) / 2)
        heap_put(heap, i, heap->nodes[(i - 1) / 2]);
    heap_put(heap, i, node);
}

static inline void heap_down(struct heap *heap, size_t i, struct heap_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < heap->n &&
            heap_before(heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (child >= heap->n || !heap_before(heap->nodes[child], node))
            break;
        heap_put(heap, i, heap->nodes[child]);
        i = child;
    }
    heap_put(heap, i, node);
}

static inline void heap_insert(struct heap *heap, struct heap_node *node, uint64_t at)
{
    assert(node->place == 0);
    if (heap->n == heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : 16;
        heap->nodes = mem_grow(heap->nodes, heap->cap, sizeof *heap->nodes);
    }
    node->at = at;
    node->order = heap->next_order++;
    heap_up(heap, heap->n++, node);
}

/* The earliest, or NULL. */
static inline struct heap_node *heap_peek(const struct heap *heap)
{
    return heap->n == 0 ? NULL : heap->nodes[0];
}

static inline void heap_remove(struct heap *heap, struct heap_node *node)
{
    assert(node->place > 0);
    size_t i = node->place - 1;
    node->place = 0;
    struct heap_node *last = heap->nodes[--heap->n];
    if (last == node)
        return;
    if (i > 0 && heap_before(last, heap->nodes[(i - 1) / 2]))
        heap_up(heap, i, last);
    else
        heap_down(heap, i, last);
}

static inline void heap_clear(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){0};
}
