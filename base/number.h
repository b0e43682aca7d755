/* SPDX-License-Identifier: MIT */
/* number: decimal text and binary numbers, both ways without loss.
 *
 * Log-probabilities arrive as decimals that some server printed from a float32. To keep
 * them small and exact, one must know which float32 that was and how it was printed. All
 * of this works as in the C locale, whatever the program's locale is. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct number {
    double value; /* the nearest double, ties to even; +-infinity when it is too large */
    unsigned style; /* bits of enum number_style (base/record.h) that hold for it */
};

/* Reads the number (JSON's grammar) at the start of the text and returns the first byte
 * after it, or NULL when there is none. The style's bits:
 * NUMBER_F32: the value is the double form of a float32.
 * NUMBER_F32_SHORT: the value is what number_add_f32 of a float32 reads back to. A text
 * of more than nine significant digits never gets it. Infinite values get neither. */
const char *number_read(struct span text, struct number *number);

/* The same without the value. */
const char *number_end(struct span text);

/* Appends the shortest decimal that reads back to the same float32 or double; among those
 * of equal length, the nearest to it. It always looks like a real number: "-0.0", "12.0",
 * "1.5e-07", "1e+22". Requires: finite. */
void number_add_f32(struct buf *out, float value);
void number_add_f64(struct buf *out, double value);
