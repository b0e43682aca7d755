/* SPDX-License-Identifier: MIT */
/* choose: which answers become rows, and which were there before.
 *
 * Every answer stays in the store; what is left out here is left out of one dataset. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Why a row is left out, in the order in which the reasons are looked for. */
enum choice {
    CHOICE_TAKE,
    CHOICE_TRUNCATED,   /* cut off by a token limit */
    CHOICE_REFUSED,     /* the teacher declined, or a filter cut the answer */
    CHOICE_EMPTY,       /* no text: nothing at all, or reasoning alone */
    CHOICE_STRUCTURED,  /* needs more than role and text, see conversation.h */
    CHOICE_NO_LOGPROBS, /* distributions are wanted and there are none */
    CHOICE_DUPLICATE,   /* an earlier row has the same messages and answer */
    CHOICES,
};

/* As in manifests: "rows", "truncated", …, "duplicates". */
const char *choice_name(enum choice choice);

/* TAKE, TRUNCATED, REFUSED or EMPTY: what can be told of the answer alone. */
enum choice choose_answer(const struct row *row);

/* What was exported before, as an open-addressing table of 16 bytes an entry in a file
 * without a name: memory stays the same however many rows there are; the disk of the
 * dataset holds 32 bytes a row for as long as the export runs. An entry is the 64-bit
 * hash of the text and its length; with ten million rows, the odds that any row is taken
 * for the duplicate of another one are below one in ten million. */
struct seen;

/* rows is about how many will be added. The file is made (and unlinked) in the directory.
 */
int seen_open(const char *directory, uint64_t rows, struct seen **seen, struct err *err);
/* Adds a text, unless it is there already. Requires: text.n > 0. */
int seen_add(struct seen *seen, struct span text, bool *again, struct err *err);
void seen_close(struct seen *seen); /* NULL is fine */
