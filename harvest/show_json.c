/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>

#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"
#include "harvest/show.h"

/* ---- members ---- */

static void add_name(struct buf *out, const char *name)
{
    buf_format(out, "%s\"%s\":", out->p[out->n - 1] == '{' ? "" : ",", name);
}

static void add_text(struct buf *out, const char *name, struct span text)
{
    add_name(out, name);
    if (text.p == NULL)
        buf_text(out, "null");
    else
        json_add_string(out, (struct span){text.p, utf8_valid_prefix(text)});
}

static void add_number(struct buf *out, const char *name, int64_t value)
{
    add_name(out, name);
    buf_format(out, "%" PRId64, value);
}

/* A JSON text of somebody else, brought to one line. */
static void add_json(struct buf *out, const char *name, struct span json)
{
    struct arena arena = {0};
    struct span canonical = SPAN_LITERAL("null");
    add_name(out, name);
    if (json.p != NULL)
        json_canonical(json, &arena, &canonical, NULL);
    buf_span(out, canonical);
    arena_clear(&arena);
}

/* A string literal of the teacher's, as it is but for halves of characters. */
static void add_literal(struct buf *out, const char *name, struct span literal)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    if (literal.p != NULL && json_unquote(&text, literal))
        add_text(out, name, buf_view(&text));
    else
        add_json(out, name, literal);
    buf_clear(&text);
}

static void add_usage(struct buf *out, const struct usage *usage)
{
    add_number(out, "prompt_tokens", usage->prompt);
    add_number(out, "completion_tokens", usage->completion);
    add_number(out, "cached_tokens", usage->cached);
    add_number(out, "reasoning_tokens", usage->reasoning);
}

/* ---- parts ---- */

static void add_row(struct buf *out, const struct row *row)
{
    char key[SHA256_HEX + 1];
    hex_encode(row->key, SHA256_BYTES, key);
    add_text(out, "key", span_of(key));
    add_text(out, "prompt_id", row->prompt_id);
    add_text(out, "teacher", row->teacher);
    add_text(out, "wire", row->wire);
    add_text(out, "model_asked", row->model_asked);
    add_text(out, "model_served", row->model_served);
    add_number(out, "sample", row->sample);
    add_number(out, "edition", row->edition);
    add_json(out, "form", row->form_params);
    add_json(out, "params", row->params);
    add_json(out, "metadata", row->metadata);
    add_text(out, "system", row->system);
    add_json(out, "messages", row->messages);
}

static void add_answer(struct buf *out, const struct row *row)
{
    struct buf flags;
    buf_init(&flags, 1 << 12);
    flags_add(&flags, row->flags);
    add_text(out, "finish_reason", span_of(finish_name(row->finish)));
    add_text(out, "flags", buf_view(&flags));
    add_usage(out, &row->usage);
    add_literal(out, "content", row->content);
    add_literal(out, "reasoning", row->reasoning);
    add_literal(out, "refusal", row->refusal);
    add_json(out, "tool_calls", row->tool_calls);
    add_text(out, "license", row->license);
    add_text(out, "training", row->training);
    buf_clear(&flags);
}

static void add_attempts(struct buf *out, const struct shown *shown)
{
    add_name(out, "attempts");
    buf_byte(out, '[');
    for (size_t i = 0; i < shown->n_attempts; i++) {
        const struct attempt *attempt = &shown->attempts[i];
        buf_text(out, i > 0 ? ",{" : "{");
        add_number(out, "sent_ms", attempt->sent_ms);
        add_number(out, "ended_ms", attempt->ended_ms);
        add_text(out, "outcome", span_of(outcome_name(attempt->outcome)));
        add_text(out, "reason", span_of(reason_name(attempt->reason)));
        add_number(out, "status", attempt->status);
        add_number(out, "curl_code", attempt->curl_code);
        add_usage(out, &attempt->usage);
        add_text(out, "request_id", attempt->request_id);
        add_text(out, "model", attempt->model);
        add_text(out, "fingerprint", attempt->fingerprint);
        add_text(out, "note", attempt->note);
        add_number(out, "body_bytes", (int64_t)attempt->body.n);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void add_entry(struct buf *out, const struct logprob *entry)
{
    struct buf literal;
    buf_init(&literal, SIZE_MAX / 2);
    buf_byte(&literal, '"');
    buf_span(&literal, entry->token);
    buf_byte(&literal, '"');
    buf_byte(out, '{');
    add_literal(out, "token", buf_view(&literal));
    add_number(out, "id", entry->id);
    add_json(out, "bytes", entry->bytes);
    add_name(out, "logprob");
    if (isfinite(entry->value))
        number_add_f64(out, entry->value);
    else
        buf_text(out, "null");
    buf_clear(&literal);
}

static void add_position(struct buf *out, const struct track *track, uint32_t position)
{
    uint32_t first = track->first[position], end = track->first[position + 1];
    add_entry(out, &track->entries[first]);
    buf_text(out, ",\"top_logprobs\":[");
    for (uint32_t i = first + 1; i < end; i++) {
        buf_text(out, i > first + 1 ? "," : "");
        add_entry(out, &track->entries[i]);
        buf_byte(out, '}');
    }
    buf_text(out, "]}");
}

static void add_tracks(struct buf *out, const struct shown *shown)
{
    add_name(out, "logprobs");
    buf_byte(out, '{');
    for (int i = 0; i < TRACKS; i++) {
        const struct track *track = &shown->tracks[i];
        if (track->positions == 0)
            continue;
        add_name(out, track_title((enum track_name)i));
        buf_byte(out, '[');
        for (uint32_t j = 0; j < track->positions; j++) {
            buf_text(out, j > 0 ? "," : "");
            add_position(out, track, j);
        }
        buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

void shown_add_json(struct buf *out, const struct shown *shown)
{
    buf_text(out, "{\"type\":\"request\",\"v\":1");
    add_row(out, &shown->row);
    add_text(out, "state", span_of(shown->state));
    if (shown->answered)
        add_answer(out, &shown->row);
    add_attempts(out, shown);
    add_tracks(out, shown);
    buf_text(out, "}\n");
}
