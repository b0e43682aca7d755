/* SPDX-License-Identifier: MIT */
/* manifest: what a dataset consists of, as manifest.json beside its data.
 *
 * It is written last, so that a dataset that has one is complete, and it is what tells a
 * dataset of ours from a directory that must not be touched. The same rows with the same
 * options make the same bytes. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "export/export.h"
#include "export/sink.h"
#include "export/terms.h"

struct manifest {
    const struct export_options *options;
    const struct export_counts *counts;
    const struct sink *sink;
    const struct terms *terms;
    unsigned char
        keys[SHA256_BYTES]; /* SHA-256 over the binary keys of the rows in order */
};

/* Durable when it returns 0. */
int manifest_write(const char *directory, const struct manifest *manifest,
                   struct err *err);

/* Whether the directory holds a manifest of ours. Errors: it cannot be read. */
int manifest_find(const char *directory, bool *found, struct err *err);
