/* SPDX-License-Identifier: MIT */
/* buf: growable bytes with a ceiling given at birth, and spans into somebody's bytes.
 *
 * A buffer that is asked to grow beyond its ceiling stays as it is, remembers that it
 * overflowed, and refuses everything after: one check at the end suffices. The bytes are
 * always followed by a NUL that does not count. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. p == NULL means absent, which is not the same as empty. */
struct span {
    const char *p;
    size_t n;
};

struct buf {
    char *p; /* NULL until the first byte */
    size_t n, cap, max;
    bool overflowed;
};

#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})

static inline struct span span_of(const char *text)
{
    return (struct span){text, text == NULL ? 0 : strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

void buf_init(struct buf *buf, size_t max);
void buf_clear(struct buf *buf); /* frees; may be used again */
void buf_reset(struct buf *buf); /* empties, keeps the memory */
bool buf_reserve(struct buf *buf,
                 size_t more); /* room for `more` bytes; false: overflowed */
void buf_add(struct buf *buf, const void *p, size_t n);
void buf_byte(struct buf *buf, char c);
void buf_text(struct buf *buf, const char *text);
void buf_span(struct buf *buf, struct span span);
void buf_format(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct span buf_view(const struct buf *buf); /* valid until the next change */

/* Hands the memory over to the caller, who frees it; the buffer is as after buf_init. */
char *buf_take(struct buf *buf);
