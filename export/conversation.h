/* SPDX-License-Identifier: MIT */
/* conversation: a prompt and its answer as the one list of messages that trainers read.
 *
 * Every message has the members `role` and `content`, both text, and no others, in every
 * row: what loaders guess from the first rows then holds for all of them. The system
 * prompt of the run comes first. Text parts of a content that is a list are joined with a
 * newline, as llama.cpp and vLLM do before they ask the model. A teacher's reasoning
 * stands before its answer as <think>\n…\n</think>\n\n, which chat templates know. A
 * refusal stands for the answer where there is no other. Whatever needs more than that
 * (tool calls, images, names) does not fit. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

/* Appends [{"role":…,"content":…},…] in the spelling of json_add_string, so that equal
 * conversations are equal bytes. *fits false: part of it may have been appended. Errors:
 * ERR_DAMAGED, what the store holds is no JSON. */
int conversation_add(struct buf *out, const struct row *row, bool *fits, struct err *err);
