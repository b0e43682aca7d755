/* SPDX-License-Identifier: MIT */
/* sink: rows into shards of about one size, each with its SHA-256.
 *
 * A shard is named train-00000.part until all are written, because names tell how many
 * there are; none is renamed before it is on the disk. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

struct shard {
    uint64_t rows, bytes;
    char sha256[SHA256_HEX + 1];
};

struct sink;

/* Makes DIRECTORY/data. A shard ends with the row that reaches shard_bytes. */
int sink_open(const char *directory, const char *suffix, int64_t shard_bytes,
              struct sink **sink, struct err *err);
int sink_row(struct sink *sink, struct span row, struct err *err);
/* Ends the last shard and gives all of them their names, durably. */
int sink_finish(struct sink *sink, struct err *err);
const struct shard *sink_shards(const struct sink *sink, size_t *n);
/* "data/train-00000-of-00002.jsonl", after sink_finish. */
void sink_name(const struct sink *sink, size_t shard, char *name, size_t size);
/* Removes nothing: that is for publish. NULL is fine. */
void sink_close(struct sink *sink);
