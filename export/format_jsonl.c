/* SPDX-License-Identifier: MIT */
/* format_jsonl: one JSON object a line, strict UTF-8, columns in the order of
 * export_columns(). Written by hand: dumping a tree costs four times as much. */
#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"
#include "export/export.h"
#include "export/token.h"

/* printf's way to the same digits costs ten times as much, and there are many. */
static void add_integer(struct buf *out, int64_t value)
{
    char text[24], *p = text + sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        *--p = '-';
    buf_add(out, p, (size_t)(text + sizeof text - p));
}

/* ---- distributions ---- */

/* Appends one value of an entry; false: what the store holds is no text. */
typedef bool add_value(struct buf *out, const struct logprob *entry);

static bool add_id(struct buf *out, const struct logprob *entry)
{
    add_integer(out, entry->id);
    return true;
}

static bool add_bytes(struct buf *out, const struct logprob *entry)
{
    token_add_bytes(out, entry);
    return true;
}

static bool add_logprob(struct buf *out, const struct logprob *entry)
{
    number_add_f64(out, entry->value);
    return true;
}

/* The column of the chosen tokens. */
static bool add_chosen(struct buf *out, const char *name, const struct track *track,
                       add_value *add)
{
    bool good = true;
    buf_text(out, name);
    for (uint32_t i = 0; good && i < track->positions; i++) {
        buf_byte(out, i == 0 ? '[' : ',');
        good = add(out, &track->entries[track->first[i]]);
    }
    buf_byte(out, ']');
    return good;
}

/* The column of their alternatives. A position without any has the chosen token for its
 * only one: an empty list would have no type. */
static bool add_top(struct buf *out, const char *name, const struct track *track,
                    add_value *add)
{
    bool good = true;
    buf_text(out, name);
    for (uint32_t i = 0; good && i < track->positions; i++) {
        buf_text(out, i == 0 ? "[[" : ",[");
        uint32_t end = track->first[i + 1];
        uint32_t at = track->first[i] + (end - track->first[i] > 1);
        for (uint32_t j = at; good && j < end; j++) {
            if (j > at)
                buf_byte(out, ',');
            good = add(out, &track->entries[j]);
        }
        buf_byte(out, ']');
    }
    buf_byte(out, ']');
    return good;
}

static bool add_track(struct buf *out, const struct track *track, bool complete)
{
    bool good = add_chosen(out, ",\"tokens\":", track, token_add_text) &&
                add_chosen(out, ",\"token_ids\":", track, add_id) &&
                add_chosen(out, ",\"token_bytes\":", track, add_bytes) &&
                add_chosen(out, ",\"token_logprobs\":", track, add_logprob) &&
                add_top(out, ",\"top_tokens\":", track, token_add_text) &&
                add_top(out, ",\"top_token_ids\":", track, add_id) &&
                add_top(out, ",\"top_token_bytes\":", track, add_bytes) &&
                add_top(out, ",\"top_logprobs\":", track, add_logprob);
    buf_text(out, ",\"logprobs_complete\":");
    buf_text(out, complete ? "true" : "false");
    return good;
}

/* ---- rows ---- */

static int write_row(const struct export_row *given, struct buf *out, struct err *err)
{
    const struct row *row = given->row;
    char key[SHA256_HEX + 1], hash[SHA256_HEX + 1];
    hex_encode(row->key, SHA256_BYTES, key);
    hex_encode(row->prompt_hash, SHA256_BYTES, hash);
    bool named = row->prompt_id.n > 0;
    buf_text(out, "{\"key\":\"");
    buf_add(out, key, SHA256_HEX);
    buf_text(out, "\",\"prompt_id\":");
    json_add_string(out, named ? row->prompt_id : (struct span){hash, 16});
    buf_text(out, ",\"sample\":");
    add_integer(out, row->sample);
    buf_text(out, ",\"teacher\":");
    json_add_string(out, row->teacher);
    buf_text(out, ",\"finish_reason\":");
    json_add_string(out, span_of(finish_name(row->finish)));
    buf_text(out, ",\"metadata\":");
    json_add_string(out, row->metadata.n > 0 ? row->metadata : SPAN_LITERAL("{}"));
    buf_text(out, ",\"messages\":");
    buf_span(out, given->messages);
    bool complete = (row->flags & FLAG_SHORT_LOGPROBS) == 0;
    if (given->track != NULL && !add_track(out, given->track, complete))
        return err_set(err, ERR_DAMAGED, "a token of answer '%s' is no text", key);
    buf_text(out, "}\n");
    return 0;
}

const struct format format_jsonl = {
    .name = "jsonl",
    .suffix = ".jsonl",
    .about = "one JSON object a line",
    .row = write_row,
};
