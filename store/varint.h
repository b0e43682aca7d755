/* SPDX-License-Identifier: MIT */
/* varint: whole numbers in as few bytes as they need, seven bits each, lowest first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

static inline void varint_add(struct buf *out, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        bytes[n++] = (char)(value | 128);
    bytes[n++] = (char)value;
    buf_add(out, bytes, n);
}

/* Reads one and moves *at behind it. False: cut off or longer than 64 bits. */
static inline bool varint_read(struct span bytes, size_t *at, uint64_t *value)
{
    uint64_t result = 0;
    for (int shift = 0; shift < 64 && *at < bytes.n; shift += 7) {
        unsigned char c = (unsigned char)bytes.p[(*at)++];
        result |= (uint64_t)(c & 127) << shift;
        if (c < 128) {
            *value = result;
            return true;
        }
    }
    return false;
}

/* Small negative numbers become small too. */
static inline uint64_t varint_fold(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t varint_unfold(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}
