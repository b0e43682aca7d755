/* SPDX-License-Identifier: MIT */
#include "store/layout.h"

#include <string.h>

#include "store/varint.h"

enum { CUTS_FIRST = 4 };

/* ---- writing ---- */

bool layout_cut(struct layout *layout, struct arena *arena, const struct cut *cut)
{
    size_t at = layout->n;
    while (at > 0 && layout->cuts[at - 1].from >= cut->to)
        at--;
    if (at > 0 && layout->cuts[at - 1].to > cut->from)
        return false;
    /* Grows when n is 4, 8, 16, … */
    if (layout->n == 0 ||
        (layout->n >= CUTS_FIRST && (layout->n & (layout->n - 1)) == 0)) {
        size_t room = layout->n == 0 ? CUTS_FIRST : layout->n * 2;
        struct cut *cuts = arena_alloc(arena, room * sizeof *cuts);
        if (layout->n != 0)
            memcpy(cuts, layout->cuts, layout->n * sizeof *cuts);
        layout->cuts = cuts;
    }
    memmove(layout->cuts + at + 1, layout->cuts + at, (layout->n - at) * sizeof *cut);
    layout->cuts[at] = *cut;
    layout->n++;
    return true;
}

void layout_start(struct layout *layout, struct span limits)
{
    buf_reset(layout->payload);
    buf_span(layout->payload, limits);
    layout->limits = limits.n;
    size_t from = 0;
    for (size_t i = 0; i < layout->n; i++) {
        buf_add(layout->payload, layout->body.p + from, layout->cuts[i].from - from);
        from = layout->cuts[i].to;
    }
    buf_add(layout->payload, layout->body.p + from, layout->body.n - from);
    layout->size = layout->payload->n - limits.n;
}

/* Offset of the text in the body as stored; false: it is not in there whole. */
static bool find(const struct layout *layout, struct span text, size_t *offset)
{
    uintptr_t body = (uintptr_t)layout->body.p, p = (uintptr_t)text.p;
    if (p < body || p > body + layout->body.n || text.n > body + layout->body.n - p)
        return false;
    size_t from = p - body, removed = 0;
    for (size_t i = 0; i < layout->n && layout->cuts[i].from < from + text.n; i++) {
        if (layout->cuts[i].to > from)
            return false;
        removed += layout->cuts[i].to - layout->cuts[i].from;
    }
    *offset = from - removed;
    return true;
}

void layout_place(struct layout *layout, struct span text, struct buf *places)
{
    if (text.p == NULL) {
        varint_add(places, 0);
        return;
    }
    size_t offset;
    if (!find(layout, text, &offset)) {
        offset = layout->payload->n - layout->limits;
        buf_span(layout->payload, text);
    }
    varint_add(places, offset + 1);
    varint_add(places, text.n);
}

void layout_add_cuts(const struct layout *layout, int64_t request, struct buf *out)
{
    size_t last = 0, removed = 0;
    for (size_t i = 0; i < layout->n; i++) {
        const struct cut *cut = &layout->cuts[i];
        size_t at = cut->from - removed;
        varint_add(out, at - last);
        varint_add(out, varint_fold(cut->request - request));
        buf_byte(out, (char)cut->track);
        last = at;
        removed += cut->to - cut->from;
    }
}

/* ---- reading ---- */

bool layout_read_place(struct span places, size_t *at, struct span body,
                       struct span *text)
{
    uint64_t offset, n;
    *text = (struct span){NULL, 0};
    if (!varint_read(places, at, &offset))
        return false;
    if (offset == 0)
        return true;
    offset--;
    if (!varint_read(places, at, &n) || offset > body.n || n > body.n - offset)
        return false;
    *text = (struct span){body.p + offset, n};
    return true;
}

bool layout_read_cut(struct span cuts, size_t *at, int64_t request, struct cut *cut)
{
    uint64_t distance, relative;
    if (!varint_read(cuts, at, &distance) || !varint_read(cuts, at, &relative) ||
        *at >= cuts.n)
        return false;
    cut->from = cut->to = cut->to + distance;
    cut->request = request + varint_unfold(relative);
    cut->track = cuts.p[(*at)++];
    return cut->track >= 0 && cut->track < TRACKS;
}
