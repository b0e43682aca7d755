/* SPDX-License-Identifier: MIT */
/* term: foreign text on a terminal.
 *
 * Answers, error messages and file names come from outside. Everything that could move
 * the cursor, change colours, reorder text or reach the clipboard is shown as \u{…}: C0
 * but newline and tab, DEL, C1 (as UTF-8 too), bidirectional and other format characters,
 * and bytes that are not UTF-8. */
#pragma once

#include <stdio.h>

#include "base/buf.h"

void term_put(FILE *out, struct span text);
void term_add(struct buf *out, struct span text); /* the same into a buffer */
