/* SPDX-License-Identifier: MIT */
/* literal: JSON string literals that others wrote, in the one spelling that we write.
 *
 * A teacher may spell an é as it is or as \u00e9. What is exported and what is compared
 * has one spelling for one text: that of json_add_string. Most literals have it already
 * and are copied as they are. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

/* Appends what is between the quotes, without quotes. Lone surrogates become U+FFFD.
 * False, having appended nothing, when it is no part of a literal of well-formed UTF-8.
 */
bool literal_splice(struct buf *out, struct span inside);

/* Whether it begins and ends as a string literal does. */
bool literal_is_string(struct span value);

/* What is between the quotes. Requires: literal_is_string. */
struct span literal_inside(struct span literal);
