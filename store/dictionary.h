/* SPDX-License-Identifier: MIT */
/* dictionary: bodies of one teacher compressed with what they have in common.
 *
 * The first bodies of a teacher train a dictionary, once; it is stored beside them with its
 * id. That halves the space of short replies and the time to pack them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct dictionaries;
struct store;

struct dictionaries *dictionaries_new(void);
/* Drops what memory holds: the file may not have it. */
void dictionaries_forget(struct dictionaries *dictionaries);
void dictionaries_free(struct dictionaries *dictionaries); /* NULL is fine */

/* Packs one body of a teacher; typical: may serve for training. *packed is a view of
 * store->packed, *dict 0 without a dictionary. */
int body_pack(struct store *store, int64_t teacher, struct span body, bool typical,
              struct span *packed, int64_t *dict, struct err *err);

/* Appends the body of an attempt (named in the error). */
int body_unpack(struct store *store, int64_t attempt, int64_t dict, struct span packed,
                struct buf *out, struct err *err);
