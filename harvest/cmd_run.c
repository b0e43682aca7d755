/* SPDX-License-Identifier: MIT */
/* command: run
 * args: PROMPTS…
 * help: ask a teacher; the same command again finishes the job
 *
 * Reads prompt sets, asks a teacher every prompt that the store has no answer to, and
 * keeps what comes back. PROMPTS are files, or `-` for standard input: text with one
 * prompt a line, or JSON Lines with a `prompt` or a list of `messages` and, if wanted,
 * `id`, `params` and `metadata`. The whole set is read before the first request is sent;
 * a bad line stops it there.
 *
 * Without `--url` and without a configuration a local server is looked for on the usual
 * ports: llama.cpp 8080, vLLM 8000, Ollama 11434, SGLang 30000, LM Studio 1234.
 *
 * What was answered before is never asked again, whatever happened in between. The first
 * interrupt stops asking and waits for answers that are on their way; the second stops at
 * once.
 *
 * Example: harvest run prompts.txt
 * Example: harvest run --top-logprobs 20 --max-tokens 256 prompts.jsonl
 * Example: zcat prompts.jsonl.gz | harvest run --teacher hosted -
 */

#include "base/clock.h"
#include "harvest/cmd.h"
#include "harvest/discover.h"
#include "harvest/run.h"
#include "harvest/summary.h"

struct session {
    const struct call *call;
    struct console console;
    struct teacher_conf teacher;
    struct credential *credential;
    struct store *store;
    struct plan_result plan;
    struct run_result result;
    unsigned dialect;
    bool asked_server; /* for its models */
};

static int ask_server(struct session *session, struct err *err)
{
    session->asked_server = true;
    return discover_model(session->call->config, &session->teacher, session->credential,
                          &session->dialect, &session->console, err);
}

/* A model that is known already allows planning without the teacher: a night in which
 * nothing is new does not need it to be up. */
static int prepare(struct session *session, struct err *err)
{
    const struct config *config = session->call->config;
    if (config_teacher(config, &session->teacher, err) != 0 ||
        credential_load(session->teacher.key_file, session->teacher.key_env,
                        &session->credential, err) != 0)
        return -1;
    if (session->teacher.url == NULL &&
        discover_server(&session->teacher, &session->console, err) != 0)
        return -1;
    if (session->teacher.model == NULL && ask_server(session, err) != 0)
        return -1;
    if (store_open(config->store, STORE_CREATE, &session->store, err) != 0)
        return -1;
    return plan_prompts(session->store, config, &session->teacher,
                        (const char *const *)session->call->words,
                        (size_t)session->call->n_words, session->call->line,
                        &session->plan, err);
}

static int crawl_planned(struct session *session, struct run_job *job, struct err *err)
{
    if (session->plan.counts.todo == 0)
        return 0;
    if (!session->asked_server && ask_server(session, err) != 0)
        return -1;
    job->dialect = session->dialect;
    return run_crawl(job, &session->result, err);
}

static int end_run(struct session *session, int code, struct err *err)
{
    if (store_begin(session->store, err) != 0)
        return -1;
    if (store_run_end(session->store, session->plan.ids.run, clock_wall_ms(), code,
                      err) != 0) {
        store_rollback(session->store);
        return -1;
    }
    return store_commit(session->store, err);
}

static void ask_all(struct session *session, struct err *err)
{
    struct run_job job = {
        .config = session->call->config,
        .teacher = &session->teacher,
        .credential = session->credential,
        .console = &session->console,
        .store = session->store,
        .plan = &session->plan,
    };
    int rc = crawl_planned(session, &job, err);
    if (rc == 0) {
        summary_print(&job, &session->result);
        summary_judge(&job, &session->result, err);
    } else if (session->result.unwritten > 0) {
        err_safe(err,
                 "%llu answers came that could not be stored; `harvest status` shows "
                 "them as ambiguous",
                 (unsigned long long)session->result.unwritten);
    } else {
        err_safe(err, "every answer that came is stored; nothing was sent after this");
    }
    struct err ignored = {0}; /* the first failure is the one to tell */
    end_run(session, err->code, err->code == ERR_NONE ? err : &ignored);
}

command_run cmd_run;

int cmd_run(const struct call *call, struct err *err)
{
    struct session session = {.call = call};
    if (call->n_words == 0) {
        err_set(err, ERR_USAGE, "run: no prompts given");
        return err_fix(err, "harvest run PROMPTS…, or '-' for standard input");
    }
    console_init(&session.console, call->config->quiet, call->config->verbose,
                 call->config->json);
    if (prepare(&session, err) == 0)
        ask_all(&session, err);
    store_close(session.store);
    plan_clear(&session.plan);
    credential_free(session.credential);
    teacher_conf_clear(&session.teacher);
    return (int)err->code;
}
