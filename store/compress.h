/* SPDX-License-Identifier: MIT */
/* compress: zstd frames with checksum and content size, contexts kept from call to call. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct ZSTD_CDict_s;
struct ZSTD_DDict_s;
struct coder;

struct coder *coder_new(void);
void coder_free(struct coder *coder); /* NULL is fine */

/* Replace what `out` holds by one frame, without or with a dictionary (whose level counts).
 * The span is a view of out. */
struct span compress_level(struct coder *coder, int level, struct span bytes,
                           struct buf *out);
struct span compress_dict(struct coder *coder, const struct ZSTD_CDict_s *dict,
                          struct span bytes, struct buf *out);

/* Appends what the frame holds; dict NULL: none. -1: damaged, or more than out may hold. */
int decompress(struct coder *coder, const struct ZSTD_DDict_s *dict, struct span frame,
               struct buf *out);
