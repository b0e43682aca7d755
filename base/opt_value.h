/* SPDX-License-Identifier: MIT */
/* opt_value: the text of an option's value, checked and converted.
 *
 * Apart from opt.c because harvest.yaml needs the words for what is expected as well: a
 * mapping where a number belongs never becomes a text that could be parsed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/opt.h"

union opt_value {
    bool flag;
    int64_t whole; /* count, size in bytes, duration in milliseconds */
    double real;
};

/* False when the text is no value of the row's type, range or choices. Texts and maps are
 * always one, and leave *value alone. */
bool opt_value_parse(const struct opt_row *row, const char *text, union opt_value *value);

/* Appends what is expected: "a whole number of at least 1", "one of retry, hold". */
void opt_value_expected(struct buf *out, const struct opt_row *row);
