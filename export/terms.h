/* SPDX-License-Identifier: MIT */
/* terms: under which terms the rows of a dataset may be used, by teacher.
 *
 * Whether answers may be trained on is said of each when it is asked for; the manifest
 * says it of the dataset, so that mixed ones can be told. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

struct terms;

struct terms *terms_new(void);
void terms_free(struct terms *terms); /* NULL is fine */
void terms_count(struct terms *terms, const struct row *row);
/* Appends one JSON object for each combination, in the order in which they came up:
 * [{"teacher":…,"license":…,"training":…,"rows":…},…]; what was not stated is "". */
void terms_add_json(const struct terms *terms, struct buf *out);
