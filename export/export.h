/* SPDX-License-Identifier: MIT */
/* export: answers out, as a dataset that is published whole or not at all.
 *
 *   cursor (store) -> choose -> format -> sink (shards, then manifest.json last)
 *
 * Same store, same options, same bytes: nothing here looks at the clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "export/choose.h"
#include "store/store.h"

struct export_options {
    const char *dir;
    const char *format;
    int64_t shard_bytes; /* a shard ends with the row that reaches it */
    bool logprobs;       /* with distributions */
    bool keep;           /* duplicates, truncated, refused and empty ones too */
    bool only_selected;  /* see store_select */
    const char *version; /* of the tool, for the manifest */
};

struct export_counts {
    uint64_t
        choices[CHOICES]; /* by enum choice: rows taken, and those left out by cause */
    uint64_t read;        /* answers looked at: the sum of these */
    uint64_t floored;     /* log-probabilities written as LOGPROB_FLOOR */
    uint64_t shards, bytes;
    char kept[4096]; /* where files were put that somebody had added to the old dataset */
};

/* Stands for a log-probability that the teacher gave as null or infinite: numbers of a
 * dataset are finite. It is what vLLM writes for minus infinity. */
#define LOGPROB_FLOOR (-9999.0)

/* Columns of every row in their order. A column has one type, in every row of every
 * dataset for ever, and is never null. */
struct column {
    const char *name, *type;
    bool logprobs; /* only there with distributions */
};
const struct column *export_columns(size_t *n);

/* A row as formats get it. */
struct export_row {
    const struct row *row;
    struct span messages;      /* see conversation.h */
    const struct track *track; /* distributions over the answer, all finite; NULL: none */
};

/* A row format: one file and one line in Makefile.am. */
struct format {
    const char *name;   /* "jsonl" */
    const char *suffix; /* ".jsonl" */
    const char *about;
    /* Appends one row with all columns. */
    int (*row)(const struct export_row *row, struct buf *out, struct err *err);
};
const struct format *format_find(const char *name); /* NULL: none of that name */
const struct format *const *format_all(void);       /* NULL-terminated */

/* Writes data/train-00000-of-0000N.SUFFIX below a hidden directory beside dir, fsyncs,
 * writes manifest.json (columns, options, tool version, rows, bytes and SHA-256 of every
 * shard, counts) last, and exchanges directories in one step, see publish.h. A dir that
 * is there must be empty or hold our manifest: else ERR_USAGE and nothing is touched. An
 * export of no rows at all is an error that leaves the old dataset. */
int export_run(struct store *store, const struct export_options *options,
               struct export_counts *counts, struct err *err);
