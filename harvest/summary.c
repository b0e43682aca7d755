/* SPDX-License-Identifier: MIT */
#include "harvest/summary.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "harvest/progress.h"

/* ---- for people
 * ------------------------------------------------------------------------------ */

static void add_item(struct buf *out, uint64_t n, const char *what)
{
    if (n == 0)
        return;
    buf_text(out, out->n ? ", " : "");
    progress_add_count(out, n);
    buf_format(out, " %s", what);
}

static void say_planned(const struct run_job *job, struct console *console)
{
    const struct plan_result *plan = job->plan;
    const struct plan_counts *counts = &plan->counts;
    struct buf line;
    buf_init(&line, 4096);
    add_item(&line, plan->prompts, plan->prompts == 1 ? "prompt" : "prompts");
    add_item(&line, counts->duplicates, "identical to an earlier one");
    add_item(&line, plan->skipped, "invalid lines left out");
    add_item(&line, counts->answered, "already paid for");
    add_item(&line, counts->failed, "failed for good earlier");
    add_item(&line, counts->held, "ambiguous and held");
    console_notice(console, "%s", line.n ? line.p : "no prompts");
    buf_clear(&line);
}

static void say_asked(const struct run_result *result, struct console *console)
{
    struct buf line;
    buf_init(&line, 4096);
    add_item(&line, result->counts.answered, "answered");
    add_item(&line, result->counts.failed, "failed");
    add_item(&line, result->counts.ambiguous, "ambiguous");
    add_item(&line, result->counts.retries, "asked once more");
    if (line.n == 0)
        buf_text(&line, "nothing to ask");
    buf_text(&line, " in ");
    progress_add_duration(&line, result->elapsed_ms);
    console_notice(console, "%s", line.p);
    buf_clear(&line);
}

/* ---- for scripts
 * ------------------------------------------------------------------------------- */

static void add_number(struct buf *out, const char *name, uint64_t value)
{
    buf_format(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    buf_format(out, ",\"%s\":", name);
    json_add_string(out, span_of(value));
}

static void print_json(const struct run_job *job, const struct run_result *result)
{
    const struct plan_counts *planned = &job->plan->counts;
    const struct crawl_counts *counts = &result->counts;
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_text(&out, "{\"type\":\"run\",\"v\":1");
    add_text(&out, "store", job->config->store);
    if (job->teacher->url != NULL)
        add_text(&out, "teacher", job->teacher->url);
    add_text(&out, "model", job->teacher->model);
    if (result->model_served[0] != '\0')
        add_text(&out, "model_served", result->model_served);
    add_number(&out, "prompts", job->plan->prompts);
    add_number(&out, "requests", planned->requests);
    add_number(&out, "duplicates", planned->duplicates);
    add_number(&out, "invalid", job->plan->skipped);
    add_number(&out, "already_answered", planned->answered);
    add_number(&out, "already_failed", planned->failed);
    add_number(&out, "held", planned->held);
    add_number(&out, "asked", planned->todo);
    add_number(&out, "answered", counts->answered);
    add_number(&out, "failed", counts->failed);
    add_number(&out, "ambiguous", counts->ambiguous);
    add_number(&out, "retries", counts->retries);
    add_number(&out, "pauses", counts->pauses);
    add_number(&out, "elapsed_ms", result->elapsed_ms);
    buf_text(&out, "}\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_clear(&out);
}

void summary_print(const struct run_job *job, const struct run_result *result)
{
    if (job->config->json) {
        print_json(job, result);
        return;
    }
    say_planned(job, job->console);
    say_asked(result, job->console);
    if (result->counts.answered + job->plan->counts.answered > 0)
        console_notice(job->console, "next: harvest export -o DIR%s%s",
                       strcmp(job->config->store, "harvest.db") ? " --store " : "",
                       strcmp(job->config->store, "harvest.db") ? job->config->store
                                                                : "");
}

/* ---- as an exit code
 * ------------------------------------------------------------------------------ */

static const char *title(const struct run_job *job)
{
    return job->teacher->name != NULL ? job->teacher->name : job->teacher->url;
}

static void say_safe(const struct run_job *job, const struct run_result *result,
                     struct err *err)
{
    struct buf count;
    buf_init(&count, 64);
    progress_add_count(&count, result->counts.answered + job->plan->counts.answered);
    err_safe(err, "%s of this set's answers are in %s; nothing was sent after this",
             count.p, job->config->store);
    buf_clear(&count);
}

static void say_why(const struct run_result *result, struct err *err)
{
    if (result->stop_note[0] != '\0' && result->stop_status != 0)
        err_why(err, "the teacher said: \"%s\"", result->stop_note);
    else if (result->stop_note[0] != '\0')
        err_why(err, "%s", result->stop_note);
}

static void judge_held(const struct run_job *job, const struct run_result *result,
                       struct err *err)
{
    const char *name = title(job), *key = "url";
    int status = result->stop_status;
    char where[256];
    switch (result->stop_reason) {
    case REASON_CREDENTIAL:
        key = job->teacher->key_env != NULL ? "key_env" : "key_file";
        err_set(err, ERR_CREDENTIAL, "teacher '%s' refused the credential (HTTP %d)",
                name, status);
        err_fix(err, "put a valid key there and run the same command again");
        break;
    case REASON_CREDIT:
        err_set(err, ERR_WAIT,
                "teacher '%s' says that credit or quota is used up (HTTP %d)", name,
                status);
        err_fix(err, "see to the account, then run the same command again");
        break;
    case REASON_MODEL:
        key = "model";
        err_set(err, ERR_USAGE, "teacher '%s' has no model '%s' (HTTP %d)", name,
                job->teacher->model, status);
        err_fix(err, "correct --model or --url");
        break;
    case REASON_REDIRECT:
        err_set(err, ERR_USAGE, "teacher '%s' redirects elsewhere (HTTP %d)", name,
                status);
        err_fix(err, "redirects are never followed; put the final address into the "
                     "configuration if you trust it");
        break;
    default:
        err_set(err, ERR_USAGE, "teacher '%s' cannot be used as configured (HTTP %d)",
                name, status);
        break;
    }
    config_where(job->config, job->teacher, key, where, sizeof where);
    err_where(err, "%s", where);
}

static void judge_wait(const struct run_job *job, const struct run_result *result,
                       struct err *err)
{
    struct buf asked, most;
    buf_init(&asked, 64);
    buf_init(&most, 64);
    progress_add_duration(&asked, (uint64_t)result->asked_wait_ms);
    progress_add_duration(&most, (uint64_t)job->teacher->max_wait_ms);
    err_set(err, ERR_WAIT, "teacher '%s' asks to wait %s, more than --max-wait %s",
            title(job), asked.p, most.p);
    err_fix(err, "run the same command again then, or with a longer --max-wait");
    buf_clear(&asked);
    buf_clear(&most);
}

static void judge_stop(const struct run_job *job, const struct run_result *result,
                       struct err *err)
{
    switch (result->stop) {
    case CRAWL_HELD:
        judge_held(job, result, err);
        break;
    case CRAWL_WAIT:
        judge_wait(job, result, err);
        break;
    case CRAWL_UNREACHABLE:
        err_set(err, ERR_UNREACHABLE, "teacher '%s' can no longer be reached at %s",
                title(job), job->teacher->url);
        err_fix(err, "start it again and run the same command again");
        break;
    default:
        return;
    }
    say_why(result, err);
    say_safe(job, result, err);
}

static void judge_signal(const struct run_result *result, struct err *err)
{
    if (result->signal == 0)
        return;
    err_set(err, result->signal == SIGINT ? ERR_SIGINT : ERR_SIGTERM,
            "stopped by %s after draining",
            result->signal == SIGINT ? "SIGINT" : "SIGTERM");
    err_fix(err, "the same command again finishes the job");
}

static void judge_rest(const struct run_job *job, const struct run_result *result,
                       struct err *err)
{
    uint64_t failed = result->counts.failed + job->plan->counts.failed;
    uint64_t ambiguous = result->counts.ambiguous + job->plan->counts.held;
    if (failed + ambiguous == 0)
        return;
    err_set(err, ERR_PROMPTS, "%llu requests failed for good, %llu are ambiguous",
            (unsigned long long)failed, (unsigned long long)ambiguous);
    err_safe(err, "all other answers are in %s", job->config->store);
    err_fix(err,
            "`harvest status` says why; `harvest retry --failed` or `--ambiguous` makes "
            "them askable again");
}

void summary_judge(const struct run_job *job, const struct run_result *result,
                   struct err *err)
{
    judge_signal(result, err);
    if (err->code == ERR_NONE)
        judge_stop(job, result, err);
    if (err->code == ERR_NONE)
        judge_rest(job, result, err);
}
