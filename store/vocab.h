/* SPDX-License-Identifier: MIT */
/* vocab: one number for every distinct token of a teacher.
 *
 * A token is what the teacher spelt: its id or none, its text as it stood in the JSON
 * string, its list of bytes as it stood. Replies without ids pack as well, and what comes
 * out is what went in. Entries are rows of `vocab`; memory and file are kept in step: new
 * entries are written before the transaction that uses them ends, and a rollback drops the
 * whole vocabulary from memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/record.h"

enum { VOCAB_MAX = 1 << 22 }; /* entries of one teacher; beyond it nothing is packed */

struct store;
struct vocab;

/* The vocabulary of a teacher. all: with every entry, for numbering; else entries are read
 * when they are asked for. */
int vocab_open(struct store *store, int64_t teacher, bool all, struct vocab **vocab,
               struct err *err);
void vocab_free(struct vocab *list); /* all of a store's; NULL is fine */

/* The numbers of n tokens, new ones where need be. False: the vocabulary is full. Requires:
 * opened with all. */
bool vocab_numbers(struct vocab *vocab, const struct logprob *const *tokens, uint32_t n,
                   uint32_t *numbers);
/* Writes the rows of new entries. */
int vocab_save(struct store *store, struct vocab *vocab, struct err *err);

/* Fills in id, token and bytes, which live until the store is closed or rolled back. */
int vocab_token(struct store *store, struct vocab *vocab, uint32_t number,
                struct logprob *token, struct err *err);
