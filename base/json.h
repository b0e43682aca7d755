/* SPDX-License-Identifier: MIT */
/* json: the few things done with JSON outside the hot path, over jansson.
 *
 * "Canonical" JSON here follows RFC 8785 (no white space, members sorted by key, strings
 * escaped only where they must be, the shortest number that reads back) but that keys are
 * sorted by their UTF-8 bytes, and that integers and reals stay what they were: 1 and 1.0
 * differ. There is no Unicode normalisation. Two texts that differ in spelling only have
 * one canonical form, and that form is what keys are computed over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct json_t;

/* Appends a JSON string literal for UTF-8 text: only what must be is escaped, in the
 * spelling jansson uses, so that direct writing and dumping agree byte for byte. */
void json_add_string(struct buf *out, struct span text);

/* Appends the UTF-8 text of a string literal given with its quotes. Lone surrogates
 * become U+FFFD. Returns false, having appended part of it, when the literal is
 * malformed. */
bool json_unquote(struct buf *out, struct span literal);

/* Parses one JSON document of any type (strict: no duplicate members, no NaN, no \u0000,
 * integers of 64 bits, nothing after it). The caller owns the result. On failure returns
 * NULL and says why with the byte offset in err->why (ERR_USAGE). */
struct json_t *json_parse(struct span text, struct err *err);

/* Appends the canonical form. */
void json_add_canonical(struct buf *out, const struct json_t *value);

/* Canonical form of a document as text in the arena; 0 or -1 as json_parse. */
int json_canonical(struct span text, struct arena *arena, struct span *canonical,
                   struct err *err);

/* Merges objects given as JSON text, later ones winning member by member, into canonical
 * form in the arena. Absent or empty spans count as {}. Requires: each is an object. */
int json_merge(const struct span *objects, size_t count, struct arena *arena,
               struct span *merged, struct err *err);

/* How many bytes json_add_string would copy as they are: the offset of the first one that
 * it would escape, or text.n. */
size_t json_plain_prefix(struct span text);
