/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>

#include <jansson.h>

#include "base/json.h"
#include "harvest/figures.h"
#include "harvest/show.h"

enum { ALTERNATIVES_SHOWN = 5, TOKEN_COLUMNS = 24 };

/* ---- what it is ---- */

static void add_label(struct buf *out, const char *label)
{
    buf_format(out, "%-11s ", label);
}

static void add_field(struct buf *out, const char *label, struct span text)
{
    if (text.p == NULL)
        return;
    add_label(out, label);
    buf_span(out, text);
    buf_byte(out, '\n');
}

static void add_identity(struct buf *out, const struct row *row)
{
    char key[SHA256_HEX + 1];
    hex_encode(row->key, SHA256_BYTES, key);
    add_field(out, "key", span_of(key));
    add_field(out, "prompt", row->prompt_id);
    add_label(out, "teacher");
    buf_span(out, row->teacher);
    if (!span_equal(row->teacher, row->model_asked)) {
        buf_text(out, ", model ");
        buf_span(out, row->model_asked);
    }
    if (row->model_served.p != NULL && !span_equal(row->model_asked, row->model_served)) {
        buf_text(out, ", served by ");
        buf_span(out, row->model_served);
    }
    buf_text(out, " (");
    buf_span(out, row->wire);
    buf_text(out, ")\n");
    add_label(out, "sample");
    buf_format(out, "%d", row->sample);
    if (row->edition > 0)
        buf_format(out, ", edition %d", row->edition);
    buf_byte(out, '\n');
}

static void add_tokens(struct buf *out, const struct usage *usage)
{
    if (usage->prompt < 0 && usage->completion < 0)
        return;
    add_label(out, "tokens");
    buf_format(out, "%" PRId64 " in", usage->prompt);
    if (usage->cached >= 0)
        buf_format(out, " (%" PRId64 " cached)", usage->cached);
    buf_format(out, ", %" PRId64 " out", usage->completion);
    if (usage->reasoning >= 0)
        buf_format(out, " (%" PRId64 " reasoning)", usage->reasoning);
    buf_byte(out, '\n');
}

static void add_state(struct buf *out, const struct shown *shown)
{
    const struct row *row = &shown->row;
    add_label(out, "state");
    buf_text(out, shown->state);
    if (shown->answered)
        buf_format(out, ", finish reason %s", finish_name(row->finish));
    buf_byte(out, '\n');
    if (shown->answered && row->flags != 0) {
        add_label(out, "flags");
        flags_add(out, row->flags);
        buf_byte(out, '\n');
    }
    if (shown->answered)
        add_tokens(out, &row->usage);
    add_field(out, "form", row->form_params);
    add_field(out, "params", row->params);
    add_field(out, "metadata", row->metadata);
}

/* ---- what was said ---- */

static void add_indented(struct buf *out, struct span text)
{
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        buf_text(out, "  ");
        buf_add(out, text.p, n);
        buf_byte(out, '\n');
        n += end != NULL;
        text.p += n;
        text.n -= n;
    }
}

static void add_said(struct buf *out, const char *who, struct span text)
{
    buf_format(out, "\n%s\n", who);
    add_indented(out, text);
}

/* A JSON value: text as it reads, anything else as JSON. */
static void add_value(struct buf *out, const char *who, struct span value)
{
    struct buf text;
    if (value.p == NULL)
        return;
    buf_init(&text, SIZE_MAX / 2);
    if (json_unquote(&text, value))
        add_said(out, who, buf_view(&text));
    else
        add_said(out, who, value);
    buf_clear(&text);
}

static void add_message(struct buf *out, const json_t *message)
{
    struct buf value;
    buf_init(&value, SIZE_MAX / 2);
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *content = json_object_get(message, "content");
    /* A message that has more than a role and a text is shown as it is. */
    if (role == NULL || !json_is_string(content) || json_object_size(message) != 2)
        json_add_canonical(&value, message);
    else
        buf_add(&value, json_string_value(content), json_string_length(content));
    add_said(out, role == NULL ? "message" : role, buf_view(&value));
    buf_clear(&value);
}

static void add_conversation(struct buf *out, const struct row *row)
{
    if (row->system.p != NULL)
        add_said(out, "system, of the run", row->system);
    json_t *messages = json_parse(row->messages, NULL);
    for (size_t i = 0; i < json_array_size(messages); i++)
        add_message(out, json_array_get(messages, i));
    json_decref(messages);
    add_value(out, "reasoning", row->reasoning);
    add_value(out, "answer", row->content);
    add_value(out, "refusal", row->refusal);
    add_value(out, "tool calls", row->tool_calls);
}

/* ---- what happened ---- */

static void add_attempt(struct buf *out, size_t number, const struct attempt *attempt)
{
    buf_format(out, "%3zu  ", number);
    figures_add_time(out, attempt->sent_ms);
    buf_format(out, "  %6.1f s  %s",
               (double)(attempt->ended_ms - attempt->sent_ms) / 1000,
               outcome_name(attempt->outcome));
    if (attempt->reason != REASON_NONE)
        buf_format(out, ", %s", reason_name(attempt->reason));
    if (attempt->status != 0)
        buf_format(out, ", HTTP %d", attempt->status);
    if (attempt->curl_code != 0)
        buf_format(out, ", curl error %d", attempt->curl_code);
    if (attempt->note.n > 0) {
        buf_text(out, ": ");
        buf_span(out, attempt->note);
    }
    buf_byte(out, '\n');
}

static void add_attempts(struct buf *out, const struct shown *shown)
{
    if (shown->n_attempts > 0)
        buf_text(out, "\nattempts\n");
    for (size_t i = 0; i < shown->n_attempts; i++)
        add_attempt(out, i + 1, &shown->attempts[i]);
}

/* ---- how likely it was ---- */

static void add_token(struct buf *out, const struct logprob *entry, size_t columns)
{
    size_t used = 2;
    buf_byte(out, '"');
    buf_span(out, entry->token); /* escapes stay: one line is one token */
    buf_byte(out, '"');
    for (size_t i = 0; i < entry->token.n; i++)
        used += ((unsigned char)entry->token.p[i] & 0xc0) != 0x80;
    for (; used < columns; used++)
        buf_byte(out, ' ');
}

static void add_probability(struct buf *out, const struct logprob *entry)
{
    if (isfinite(entry->value))
        buf_format(out, "%8.4f %%", 100 * exp(entry->value));
    else
        buf_text(out, "       ? %");
}

static void add_position(struct buf *out, const struct track *track, uint32_t position)
{
    const struct logprob *chosen = &track->entries[track->first[position]];
    uint32_t at = track->first[position] + 1, end = track->first[position + 1],
             shown = at;
    buf_format(out, "%5u  ", (unsigned)position);
    add_token(out, chosen, TOKEN_COLUMNS);
    if (chosen->id >= 0)
        buf_format(out, "%8" PRId64, chosen->id);
    else
        buf_text(out, "       -");
    add_probability(out, chosen);
    if (isfinite(chosen->value))
        buf_format(out, "%10.4f ", chosen->value);
    else
        buf_text(out, "         ? ");
    for (; shown < end && shown - at < ALTERNATIVES_SHOWN; shown++) {
        buf_text(out, shown > at ? "," : "");
        buf_byte(out, ' ');
        add_token(out, &track->entries[shown], 0);
        if (isfinite(track->entries[shown].value))
            buf_format(out, " %.2f %%", 100 * exp(track->entries[shown].value));
    }
    if (shown < end)
        buf_format(out, ", %u more", (unsigned)(end - shown));
    buf_byte(out, '\n');
}

static void add_tracks(struct buf *out, const struct shown *shown)
{
    for (int i = 0; i < TRACKS; i++) {
        const struct track *track = &shown->tracks[i];
        if (track->positions == 0)
            continue;
        buf_format(out, "\nlog-probabilities of the %s\n",
                   track_title((enum track_name)i));
        buf_format(out, "%5s  %-*s%8s%10s%10s  %s\n", "", TOKEN_COLUMNS, "token", "id",
                   "chance", "logprob", "alternatives");
        for (uint32_t j = 0; j < track->positions; j++)
            add_position(out, track, j);
    }
    if (shown->answered && (shown->row.flags & FLAG_BODY_WHOLE) != 0)
        buf_text(out, "\nThe reply has log-probabilities of a shape that is not known: "
                      "`--raw` shows it.\n");
}

void shown_add_text(struct buf *out, const struct shown *shown)
{
    add_identity(out, &shown->row);
    add_state(out, shown);
    add_conversation(out, &shown->row);
    add_attempts(out, shown);
    add_tracks(out, shown);
}
