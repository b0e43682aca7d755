/* SPDX-License-Identifier: MIT */
/* export: answers out, as a dataset that is published whole or not at all.
 *
 *   cursor (store) -> choose -> format -> sink (shards, then manifest.json last)
 *
 * Same store, same options, same bytes: nothing here looks at the clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
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
    uint64_t rows, shards, bytes;
    uint64_t duplicates, truncated, refused, empty; /* left out, by the first that applies */
    uint64_t read;
};

/* A row format: one file and one line in Makefile.am. */
struct format {
    const char *name;   /* "jsonl" */
    const char *suffix; /* ".jsonl" */
    const char *about;
    /* Appends one row; tracks is NULL without distributions. */
    int (*row)(const struct row *row, const struct track *tracks, struct buf *out,
               struct err *err);
};
const struct format *format_find(const char *name);
const struct format *const *format_all(void); /* NULL-terminated */

/* Writes data/train-00000-of-0000N.SUFFIX below a hidden directory beside dir, fsyncs,
 * writes manifest.json (schema, options, tool version, rows, bytes and SHA-256 of every
 * shard, counts) last, and exchanges directories in one step (renameat2). A dir that is
 * there must be empty or hold our manifest: else ERR_USAGE and nothing is touched. An
 * export of no rows at all is an error that leaves the old dataset. */
int export_run(struct store *store, const struct export_options *options,
               struct export_counts *counts, struct err *err);
