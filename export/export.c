/* SPDX-License-Identifier: MIT */
#include "export/export.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "export/conversation.h"
#include "export/manifest.h"
#include "export/publish.h"
#include "export/sink.h"

struct job {
    struct store *store;
    const struct export_options *options;
    const struct format *format;
    struct publish *publish;
    struct sink *sink;
    struct seen *seen; /* NULL: duplicates are kept */
    struct cursor *cursor;
    struct sha256 *keys;
    struct terms *terms;
    struct arena arena;
    struct track tracks[TRACKS];
    struct buf messages, line;
    struct export_counts counts;
};

/* ---- one row ---- */

static void floor_values(struct job *job, struct track *track)
{
    for (uint32_t i = 0; i < track->first[track->positions]; i++) {
        if (isfinite(track->entries[i].value))
            continue;
        track->entries[i].value = LOGPROB_FLOOR;
        job->counts.floored++;
    }
}

/* Reads the messages and the distributions as far as the choice needs them. */
static int choose(struct job *job, const struct row *row, enum choice *choice,
                  struct err *err)
{
    *choice = choose_answer(row);
    if (*choice != CHOICE_TAKE && !job->options->keep)
        return 0;
    *choice = CHOICE_STRUCTURED;
    bool fits = row->kind == KIND_CHAT;
    buf_reset(&job->messages);
    if (fits && conversation_add(&job->messages, row, &fits, err) != 0)
        return -1;
    if (!fits)
        return 0;
    *choice = CHOICE_NO_LOGPROBS;
    arena_reset(&job->arena);
    if (job->options->logprobs &&
        cursor_tracks(job->cursor, &job->arena, job->tracks, err) != 0)
        return -1;
    if (job->options->logprobs && job->tracks[TRACK_CONTENT].positions == 0)
        return 0;
    bool again = false;
    if (job->seen != NULL &&
        seen_add(job->seen, buf_view(&job->messages), &again, err) != 0)
        return -1;
    *choice = again ? CHOICE_DUPLICATE : CHOICE_TAKE;
    return 0;
}

static int write_row(struct job *job, const struct row *row, struct err *err)
{
    struct track *track = job->options->logprobs ? &job->tracks[TRACK_CONTENT] : NULL;
    if (track != NULL)
        floor_values(job, track);
    const struct export_row out = {row, buf_view(&job->messages), track};
    buf_reset(&job->line);
    if (job->format->row(&out, &job->line, err) != 0)
        return -1;
    sha256_add(job->keys, row->key, sizeof row->key);
    terms_count(job->terms, row);
    job->counts.bytes += job->line.n;
    return sink_row(job->sink, buf_view(&job->line), err);
}

static int name_row(const struct row *row, struct err *err)
{
    char key[SHA256_HEX + 1];
    hex_encode(row->key, SHA256_BYTES, key);
    err_where(err, "answer %s", key);
    return err_fix(err, "look at it: harvest show --raw %.16s", key);
}

static int write_rows(struct job *job, struct err *err)
{
    for (;;) {
        const struct row *row;
        enum choice choice;
        if (cursor_next(job->cursor, &row, err) != 0)
            return -1;
        if (row == NULL)
            return 0;
        if (choose(job, row, &choice, err) != 0 ||
            (choice == CHOICE_TAKE && write_row(job, row, err) != 0))
            return err != NULL && err->code == ERR_DAMAGED ? name_row(row, err) : -1;
        job->counts.choices[choice]++;
        job->counts.read++;
    }
}

/* ---- the whole ---- */

static int no_rows(const struct job *job, struct err *err)
{
    const struct export_counts *counts = &job->counts;
    err_set(err, ERR_USAGE, "there is nothing to export to '%s'", job->options->dir);
    err_safe(err, "nothing in it was touched");
    if (counts->read == 0) {
        err_why(err, job->options->only_selected
                         ? "the store has no answer to any of these prompts"
                         : "the store has no answers yet");
        return err_fix(err, "ask for them first: harvest run PROMPTS");
    }
    char causes[256] = "";
    size_t n = 0;
    for (int i = CHOICE_TAKE + 1; i < CHOICES && n < sizeof causes; i++)
        if (counts->choices[i] > 0)
            n += (size_t)snprintf(causes + n, sizeof causes - n, ", %" PRIu64 " %s",
                                  counts->choices[i], choice_name(i));
    err_why(err, "all of %" PRIu64 " answers are left out: %s", counts->read, causes + 2);
    return err_fix(err, "--keep takes duplicates, truncated, refused and empty ones");
}

static int start(struct job *job, struct err *err)
{
    const struct export_options *options = job->options;
    const struct cursor_filter filter = {.only_selected = options->only_selected};
    struct store_counts counts;
    if (publish_open(options->dir, &job->publish, err) != 0 ||
        sink_open(publish_path(job->publish), job->format->suffix, options->shard_bytes,
                  &job->sink, err) != 0 ||
        cursor_open(job->store, &filter, &job->cursor, err) != 0)
        return -1;
    if (options->keep)
        return 0;
    if (store_count(job->store, &counts, err) != 0)
        return -1;
    return seen_open(publish_path(job->publish), counts.answered, &job->seen, err);
}

static int finish(struct job *job, struct err *err)
{
    if (job->counts.choices[CHOICE_TAKE] == 0)
        return no_rows(job, err);
    struct manifest manifest = {.options = job->options,
                                .counts = &job->counts,
                                .sink = job->sink,
                                .terms = job->terms};
    sha256_end(job->keys, manifest.keys);
    size_t shards;
    if (sink_finish(job->sink, err) != 0)
        return -1;
    sink_shards(job->sink, &shards);
    job->counts.shards = shards;
    if (manifest_write(publish_path(job->publish), &manifest, err) != 0)
        return -1;
    int result = publish_commit(job->publish, err);
    snprintf(job->counts.kept, sizeof job->counts.kept, "%s", publish_kept(job->publish));
    return result;
}

int export_run(struct store *store, const struct export_options *options,
               struct export_counts *counts, struct err *err)
{
    struct job job = {.store = store, .options = options};
    job.format = format_find(options->format);
    assert(job.format != NULL);
    job.keys = sha256_new();
    job.terms = terms_new();
    buf_init(&job.messages, SIZE_MAX / 2);
    buf_init(&job.line, SIZE_MAX / 2);
    int result = start(&job, err);
    if (result == 0)
        result = write_rows(&job, err);
    if (result == 0)
        result = finish(&job, err);
    seen_close(job.seen);
    cursor_close(job.cursor);
    sink_close(job.sink);
    publish_close(job.publish);
    arena_clear(&job.arena);
    sha256_free(job.keys);
    terms_free(job.terms);
    buf_clear(&job.messages);
    buf_clear(&job.line);
    if (result == 0)
        *counts = job.counts;
    return result;
}
