/* SPDX-License-Identifier: MIT */
/* command: status
 * args:
 * help: show where things stand and what to do next
 *
 * Counts what the store holds: prompts, requests by their state, answers by what is odd
 * about them, tokens, failures with the teacher's own words. A request is one prompt for
 * one teacher with one set of parameters and one sample number; it is planned until it is
 * answered or has failed for good. One whose outcome is unknown is ambiguous: it was sent
 * and no complete reply came back.
 *
 * Works while a run is going on.
 *
 * Example: harvest status
 * Example: harvest status --json --store answers.db */

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf8.h"
#include "harvest/cmd.h"
#include "harvest/figures.h"
#include "store/overview.h"
#include "store/store.h"

enum { TEACHERS_SHOWN = 20, FAILURES_SHOWN = 10 };

struct status {
    const struct config *config;
    struct store_counts counts;
    struct teacher_row teachers[TEACHERS_SHOWN];
    size_t n_teachers; /* of all */
    struct failure_count failures[FAILURES_SHOWN];
    size_t n_failures;
    struct run_row last;
    struct store_concerns concerns;
};

static int load(struct status *status, struct err *err)
{
    struct store *store;
    if (store_open(status->config->store, STORE_READ, &store, err) != 0)
        return -1;
    int result = 0;
    if (store_count(store, &status->counts, err) != 0 ||
        store_teachers(store, status->teachers, TEACHERS_SHOWN, &status->n_teachers,
                       err) != 0 ||
        store_failures(store, status->failures, FAILURES_SHOWN, &status->n_failures,
                       err) != 0 ||
        store_last_run(store, &status->last, err) != 0 ||
        store_concern(store, &status->concerns, err) != 0)
        result = -1;
    store_close(store);
    return result;
}

/* Unknown outcomes have no usage: what an answer costs on the average stands for it. */
static uint64_t doubtful_tokens(const struct status *status)
{
    const struct store_counts *counts = &status->counts;
    if (counts->answered == 0)
        return 0;
    double tokens = (double)counts->prompt_tokens + (double)counts->completion_tokens;
    return (uint64_t)(tokens / (double)counts->answered *
                      (double)status->concerns.doubts);
}

/* ---- what to do next ---- */

/* One step for each thing that waits; add is called with the command and its reason. */
typedef void add_step(struct buf *out, const char *command, const char *why);

static void suggest(const struct status *status, const char *words, const char *why,
                    add_step *add, struct buf *out)
{
    struct buf command;
    buf_init(&command, 1 << 16);
    if (words == NULL)
        figures_add_run(&command, status->config, &status->last);
    else
        figures_add_command(&command, status->config, words);
    add(out, command.p, why);
    buf_clear(&command);
}

static void add_steps(const struct status *status, add_step *add, struct buf *out)
{
    const struct store_counts *counts = &status->counts;
    if (counts->requests == 0 || counts->planned > 0)
        suggest(status, NULL, "asks for what is left", add, out);
    else if (counts->ambiguous + counts->in_flight > 0)
        suggest(status, NULL, "asks the unanswered again, unless they are held", add,
                out);
    if (counts->failed > 0)
        suggest(status, "retry --failed", "lets the failed ones be asked again", add,
                out);
    if (status->concerns.truncated > 0)
        suggest(status, "retry --truncated",
                "lets answers that were cut off be asked again", add, out);
    if (counts->answered > 0)
        suggest(status, "export -o dataset", "publishes the answers", add, out);
}

/* ---- for people ---- */

static void add_row(struct buf *out, const char *label, uint64_t n, const char *note)
{
    struct buf count;
    buf_init(&count, 64);
    figures_add_count(&count, n);
    buf_format(out, "%-16s%14s", label, count.p);
    if (note != NULL && n > 0)
        buf_format(out, "  %s", note);
    buf_byte(out, '\n');
    buf_clear(&count);
}

static void add_origin(const struct status *status, struct buf *out)
{
    buf_format(out, "%-16s%s, ", "store", status->config->store);
    figures_add_bytes(out, status->counts.bytes);
    buf_byte(out, '\n');
    size_t shown =
        status->n_teachers < TEACHERS_SHOWN ? status->n_teachers : TEACHERS_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct teacher_row *teacher = &status->teachers[i];
        buf_format(out, "%-16s%s", i == 0 ? "teacher" : "", teacher->identity);
        if (strcmp(teacher->identity, teacher->model) != 0)
            buf_format(out, ", model %s", teacher->model);
        buf_format(out, ", %s (%s)\n", teacher->name, teacher->wire);
    }
    if (shown < status->n_teachers)
        buf_format(out, "%-16sand %zu more\n", "", status->n_teachers - shown);
    const struct run_row *last = &status->last;
    if (last->command[0] == '\0')
        return;
    buf_format(out, "%-16s", "last run");
    figures_add_time(out, last->started_ms);
    if (last->ended_ms == 0)
        buf_format(out, ", going on or killed: %s\n", last->command);
    else
        buf_format(out, ", exit status %d: %s\n", last->exit_code, last->command);
}

static void add_requests(const struct store_counts *counts, struct buf *out)
{
    buf_byte(out, '\n');
    add_row(out, "prompts", counts->prompts, NULL);
    add_row(out, "requests", counts->requests, NULL);
    add_row(out, "  answered", counts->answered, NULL);
    add_row(out, "  planned", counts->planned, NULL);
    if (counts->in_flight > 0)
        add_row(out, "  in flight", counts->in_flight, "now, or when a run was killed");
    add_row(out, "  failed", counts->failed, "for good, see below");
    add_row(out, "  ambiguous", counts->ambiguous,
            "sent, and what became of them is unknown");
    add_row(out, "attempts", counts->attempts, NULL);
}

static void add_answers(const struct store_counts *counts, struct buf *out)
{
    buf_byte(out, '\n');
    add_row(out, "answers", counts->answered, NULL);
    add_row(out, "  truncated", counts->truncated, "cut off by a token limit");
    add_row(out, "  refused", counts->refused, NULL);
    add_row(out, "  empty", counts->empty, NULL);
    add_row(out, "  flagged", counts->flagged,
            "something is odd; `harvest show` says what");
    add_row(out, "  with logprobs", counts->with_logprobs, NULL);
    buf_byte(out, '\n');
    add_row(out, "tokens in", (uint64_t)counts->prompt_tokens, NULL);
    add_row(out, "  cached", (uint64_t)counts->cached_tokens, NULL);
    add_row(out, "tokens out", (uint64_t)counts->completion_tokens, NULL);
    add_row(out, "  reasoning", (uint64_t)counts->reasoning_tokens, NULL);
}

static void add_doubts(const struct status *status, struct buf *out)
{
    if (status->concerns.doubts == 0)
        return;
    buf_byte(out, '\n');
    figures_add_count(out, status->concerns.doubts);
    buf_format(out, " request%s may have been billed once more than counted here: about ",
               status->concerns.doubts == 1 ? "" : "s");
    figures_add_count(out, doubtful_tokens(status));
    buf_text(out, " tokens\n");
}

static void add_failures(const struct status *status, struct buf *out)
{
    if (status->n_failures > 0)
        buf_text(out, "\nfailed\n");
    for (size_t i = 0; i < status->n_failures; i++) {
        const struct failure_count *failure = &status->failures[i];
        struct buf label;
        buf_init(&label, 200);
        buf_format(&label, "  %s", reason_name(failure->reason));
        if (failure->status != 0)
            buf_format(&label, ", HTTP %d", failure->status);
        add_row(out, label.p, failure->count, failure->note);
        buf_clear(&label);
    }
}

static void add_step_line(struct buf *out, const char *command, const char *why)
{
    buf_format(out, "  %-40s  %s\n", command, why);
}

static void print_text(const struct status *status)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    add_origin(status, &out);
    if (status->counts.requests == 0) {
        buf_text(&out, "\nNothing was asked yet.\n");
    } else {
        add_requests(&status->counts, &out);
        add_answers(&status->counts, &out);
        add_doubts(status, &out);
        add_failures(status, &out);
    }
    buf_text(&out, "\nnext\n");
    add_steps(status, add_step_line, &out);
    figures_print(&out);
}

/* ---- for scripts ---- */

static void add_text(struct buf *out, const char *name, const char *value)
{
    struct span text = span_of(value);
    text.n = utf8_valid_prefix(text);
    buf_format(out, "%s\"%s\":", out->p[out->n - 1] == '{' ? "" : ",", name);
    json_add_string(out, text);
}

static void add_number(struct buf *out, const char *name, int64_t value)
{
    buf_format(out, "%s\"%s\":%" PRId64, out->p[out->n - 1] == '{' ? "" : ",", name,
               value);
}

static void add_counts(struct buf *out, const struct store_counts *counts)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"bytes", counts->bytes},
        {"prompts", counts->prompts},
        {"requests", counts->requests},
        {"answered", counts->answered},
        {"planned", counts->planned},
        {"in_flight", counts->in_flight},
        {"failed", counts->failed},
        {"ambiguous", counts->ambiguous},
        {"attempts", counts->attempts},
        {"truncated", counts->truncated},
        {"refused", counts->refused},
        {"empty", counts->empty},
        {"flagged", counts->flagged},
        {"with_logprobs", counts->with_logprobs},
        {"prompt_tokens", (uint64_t)counts->prompt_tokens},
        {"cached_tokens", (uint64_t)counts->cached_tokens},
        {"completion_tokens", (uint64_t)counts->completion_tokens},
        {"reasoning_tokens", (uint64_t)counts->reasoning_tokens},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add_number(out, rows[i].name, (int64_t)rows[i].value);
}

static void add_lists(struct buf *out, const struct status *status)
{
    buf_text(out, ",\"teachers\":[");
    for (size_t i = 0; i < status->n_teachers && i < TEACHERS_SHOWN; i++) {
        buf_text(out, i > 0 ? ",{" : "{");
        add_text(out, "identity", status->teachers[i].identity);
        add_text(out, "model", status->teachers[i].model);
        add_text(out, "name", status->teachers[i].name);
        add_text(out, "wire", status->teachers[i].wire);
        buf_byte(out, '}');
    }
    buf_text(out, "],\"failures\":[");
    for (size_t i = 0; i < status->n_failures; i++) {
        buf_text(out, i > 0 ? ",{" : "{");
        add_text(out, "reason", reason_name(status->failures[i].reason));
        add_number(out, "status", status->failures[i].status);
        add_number(out, "count", (int64_t)status->failures[i].count);
        add_text(out, "note", status->failures[i].note);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void add_step_json(struct buf *out, const char *command, const char *why)
{
    (void)why;
    if (out->p[out->n - 1] != '[')
        buf_byte(out, ',');
    json_add_string(out, span_of(command));
}

static void print_json(const struct status *status)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_text(&out, "{\"type\":\"status\",\"v\":1");
    add_text(&out, "store", status->config->store);
    add_counts(&out, &status->counts);
    add_number(&out, "billed_twice_perhaps", (int64_t)status->concerns.doubts);
    add_number(&out, "billed_twice_tokens", (int64_t)doubtful_tokens(status));
    add_text(&out, "last_run", status->last.command);
    add_lists(&out, status);
    buf_text(&out, ",\"next\":[");
    add_steps(status, add_step_json, &out);
    buf_text(&out, "]}\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_clear(&out);
}

command_run cmd_status;

int cmd_status(const struct call *call, struct err *err)
{
    struct status status = {.config = call->config};
    if (call->n_words > 0) {
        err_set(err, ERR_USAGE, "status: '%s' is no option", call->words[0]);
        return err_fix(err, "harvest status --store PATH looks at another store");
    }
    if (load(&status, err) != 0)
        return -1;
    if (call->config->json)
        print_json(&status);
    else
        print_text(&status);
    return 0;
}
