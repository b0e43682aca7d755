/* SPDX-License-Identifier: MIT */
/* token: what a dataset says of one token of a distribution.
 *
 * A server that was asked to name tokens by their numbers writes "token_id:230" for the
 * text, and for an alternative the bytes of those twelve characters: neither says what
 * the token is. There the text is what the bytes decode to, if they are the token's own,
 * and otherwise empty; the number still tells one token from another. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/record.h"

/* Appends the text as a string literal, "" when it is not known. False: no UTF-8. */
bool token_add_text(struct buf *out, const struct logprob *entry);

/* Appends the bytes as a string literal of two hexadecimal digits each, "" when they are
 * not known or none: a text is of the same type in every row, which an empty list is not.
 */
void token_add_bytes(struct buf *out, const struct logprob *entry);
