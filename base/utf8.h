/* SPDX-License-Identifier: MIT */
/* utf8: well-formed UTF-8 as Unicode 15, table 3-7, has it (no surrogates, no overlongs).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Index of the first byte that does not belong to a well-formed character, or text.n. */
size_t utf8_valid_prefix(struct span text);

/* Decodes one character at text.p (text.n > 0). Returns its length in bytes, 0 when it is
 * not well-formed. */
size_t utf8_decode(struct span text, uint32_t *code);

/* Appends one character; code must be a scalar value. */
void utf8_add(struct buf *out, uint32_t code);
