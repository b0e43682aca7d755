/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_clear(struct buf *buf)
{
    free(buf->p);
    buf_init(buf, buf->max);
}

void buf_reset(struct buf *buf)
{
    buf->n = 0;
    buf->overflowed = false;
    if (buf->p != NULL)
        buf->p[0] = '\0';
}

bool buf_reserve(struct buf *buf, size_t more)
{
    if (buf->overflowed || more > buf->max - buf->n) {
        buf->overflowed = true;
        return false;
    }
    if (buf->n + more + 1 > buf->cap) {
        size_t cap = buf->cap < 64 ? 64 : buf->cap;
        while (cap < buf->n + more + 1)
            cap *= 2;
        buf->p = mem_grow(buf->p, cap, 1);
        buf->cap = cap;
    }
    return true;
}

void buf_add(struct buf *buf, const void *p, size_t n)
{
    if (!buf_reserve(buf, n))
        return;
    if (n != 0)
        memcpy(buf->p + buf->n, p, n);
    buf->n += n;
    buf->p[buf->n] = '\0';
}

void buf_byte(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_span(struct buf *buf, struct span span)
{
    buf_add(buf, span.p, span.n);
}

void buf_format(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !buf_reserve(buf, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(buf->p + buf->n, (size_t)n + 1, format, args);
    va_end(args);
    buf->n += (size_t)n;
}

struct span buf_view(const struct buf *buf)
{
    return (struct span){buf->p == NULL ? "" : buf->p, buf->n};
}

char *buf_take(struct buf *buf)
{
    char *p = buf->p == NULL ? mem_new(1) : buf->p;
    buf->p = NULL; /* transferred */
    buf_init(buf, buf->max);
    return p;
}
