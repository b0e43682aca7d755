/* SPDX-License-Identifier: MIT */
#include "export/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define MANIFEST_TYPE "harvest-dataset"

enum { MANIFEST_MAX = 256 << 20 };

static void add_text(struct buf *out, const char *name, const char *value)
{
    buf_format(out, "  \"%s\": ", name);
    json_add_string(out, span_of(value));
    buf_text(out, ",\n");
}

static void add_counts(struct buf *out, const struct export_counts *counts)
{
    buf_format(out, "  \"answers\": %" PRIu64 ",\n  \"left_out\": {", counts->read);
    for (int i = CHOICE_TAKE + 1; i < CHOICES; i++)
        buf_format(out, "%s\"%s\": %" PRIu64, i > CHOICE_TAKE + 1 ? ", " : "",
                   choice_name(i), counts->choices[i]);
    buf_format(out, "},\n  \"floored_logprobs\": %" PRIu64 ",\n", counts->floored);
}

static void add_options(struct buf *out, const struct export_options *options)
{
    buf_text(out, "  \"options\": {\"format\": ");
    json_add_string(out, span_of(options->format));
    buf_format(out,
               ", \"logprobs\": %s, \"keep\": %s, \"prompts\": \"%s\", "
               "\"shard_size\": %" PRId64 "},\n",
               options->logprobs ? "true" : "false", options->keep ? "true" : "false",
               options->only_selected ? "given" : "all", options->shard_bytes);
}

static void add_columns(struct buf *out, bool logprobs)
{
    size_t n;
    const struct column *columns = export_columns(&n);
    buf_text(out, "  \"columns\": [");
    for (size_t i = 0; i < n; i++)
        if (!columns[i].logprobs || logprobs)
            buf_format(out, "%s\n    {\"name\": \"%s\", \"type\": \"%s\"}",
                       i > 0 ? "," : "", columns[i].name, columns[i].type);
    buf_text(out, "\n  ],\n");
}

static void add_shards(struct buf *out, const struct sink *sink)
{
    size_t n;
    const struct shard *shards = sink_shards(sink, &n);
    buf_text(out, "  \"shards\": [");
    for (size_t i = 0; i < n; i++) {
        char name[128];
        sink_name(sink, i, name, sizeof name);
        buf_format(out,
                   "%s\n    {\"name\": \"%s\", \"rows\": %" PRIu64 ", \"bytes\": %" PRIu64
                   ", \"sha256\": \"%s\"}",
                   i > 0 ? "," : "", name, shards[i].rows, shards[i].bytes,
                   shards[i].sha256);
    }
    buf_text(out, "\n  ]\n}\n");
}

int manifest_write(const char *directory, const struct manifest *manifest,
                   struct err *err)
{
    char keys[SHA256_HEX + 1];
    hex_encode(manifest->keys, SHA256_BYTES, keys);
    struct buf out;
    buf_init(&out, MANIFEST_MAX);
    buf_text(&out, "{\n");
    add_text(&out, "type", MANIFEST_TYPE);
    buf_text(&out, "  \"v\": 1,\n");
    char *tool = mem_format("harvest %s", manifest->options->version);
    add_text(&out, "tool", tool);
    free(tool);
    add_options(&out, manifest->options);
    buf_format(&out, "  \"rows\": %" PRIu64 ",\n  \"bytes\": %" PRIu64 ",\n",
               manifest->counts->choices[CHOICE_TAKE], manifest->counts->bytes);
    add_text(&out, "keys_sha256", keys);
    add_counts(&out, manifest->counts);
    buf_text(&out, "  \"terms\": ");
    terms_add_json(manifest->terms, &out);
    buf_text(&out, ",\n");
    add_columns(&out, manifest->options->logprobs);
    add_shards(&out, manifest->sink);
    char *path = mem_format("%s/manifest.json", directory);
    int result = out.overflowed ? err_set(err, ERR_USAGE, "export: too many shards")
                                : file_publish(path, buf_view(&out), err);
    if (out.overflowed)
        err_fix(err, "choose a larger --shard-size");
    free(path);
    buf_clear(&out);
    return result;
}

int manifest_find(const char *directory, bool *found, struct err *err)
{
    char *path = mem_format("%s/manifest.json", directory);
    struct buf text;
    buf_init(&text, MANIFEST_MAX);
    bool there = access(path, F_OK) == 0;
    int result = there ? file_read(path, MANIFEST_MAX, &text, err) : 0;
    if (result == 0) {
        json_t *value = there ? json_parse(buf_view(&text), NULL) : NULL;
        const char *type = json_string_value(json_object_get(value, "type"));
        *found = type != NULL && strcmp(type, MANIFEST_TYPE) == 0;
        json_decref(value);
    }
    buf_clear(&text);
    free(path);
    return result;
}
