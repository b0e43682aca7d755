/* SPDX-License-Identifier: MIT */
/* plain_row: the common shapes of a JSONL row, taken apart without building a tree.
 *
 * Ten million rows are read before the first request is sent, and a tree of each costs ten
 * times what the rest of the planning does. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/record.h"

/* Sets id, messages and metadata of a row of valid UTF-8 whose members are
 *   id        a string, or an integer of at most 18 digits
 *   prompt    a string, or
 *   messages  a list of objects of role and content, both strings
 *   metadata  an object
 * False, with the prompt untouched: the row is of another shape or wrong. */
bool plain_row_parse(struct span line, struct arena *arena, struct prompt *prompt);
