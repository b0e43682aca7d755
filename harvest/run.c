/* SPDX-License-Identifier: MIT */
#include "harvest/run.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "harvest/progress.h"
#include "harvest/reserve.h"
#include "harvest/transport.h"
#include "harvest/user_agent.h"
#include "harvest/writer.h"

enum { TICK_MS = 250, WINDOW_LEAST = 64 };

struct run {
    const struct run_job *job;
    struct run_result *result;
    uv_loop_t loop;
    uv_prepare_t turn; /* once a turn of the loop: pump() */
    uv_timer_t wake;   /* the crawl may start something again */
    uv_timer_t tick;   /* progress */
    uv_timer_t drain;  /* patience after the first signal */
    uv_signal_t signals[2];
    struct route route;
    struct crawl *crawl;
    struct writer *writer;
    struct transport *transport;
    struct reserve *reserve;
    struct progress progress;
    char *url;
    size_t window; /* jobs kept ready */
    struct err *err;
    bool storage_failed, closing;
};

/* ---- one flight
 * ---------------------------------------------------------------------------- */

static void note_stop(struct run *run, const struct flight *flight)
{
    struct span note = flight->decoded.note;
    if (run->result->stop_status != 0 || run->result->stop_note[0] != '\0')
        return;
    run->result->stop_status = flight->status;
    snprintf(run->result->stop_note, sizeof run->result->stop_note, "%.*s", (int)note.n,
             note.n ? note.p : "");
}

/* Outcomes that hold the teacher back take effect at once; those that end a job wait
 * until they are committed. */
static bool is_urgent(enum outcome outcome)
{
    return outcome == OUTCOME_LATER || outcome == OUTCOME_UNSENT ||
           outcome == OUTCOME_HOLD;
}

static void judge(struct run *run, struct flight *flight)
{
    const struct decoded *decoded = &flight->decoded;
    enum crawl_stop before = crawl_stopped(run->crawl);
    crawl_judge(run->crawl, flight->job, flight->outcome, flight->reason,
                decoded->retry_after_ms, uv_now(&run->loop));
    if (before == CRAWL_GOES_ON && crawl_stopped(run->crawl) != CRAWL_GOES_ON)
        note_stop(run, flight);
    flight->job = NULL; /* the crawl's again */
}

static void on_reply(void *arg, struct transport_reply *reply)
{
    struct flight *flight = arg;
    struct run *run = flight->owner;
    credential_scrub(run->job->credential, reply->headers->p, reply->headers->n);
    credential_scrub(run->job->credential, reply->body->p, reply->body->n);
    flight_land(flight, reply, clock_wall_ms());
    crawl_landed(run->crawl, flight->job);
    if (flight_is_small(flight))
        flight_decode(&run->route, flight);
    writer_record(run->writer, flight);
    if (flight->outcome != OUTCOME_NONE && is_urgent(flight->outcome))
        judge(run, flight);
}

static void on_intended(void *arg, struct flight *flight)
{
    struct run *run = arg;
    if (crawl_stopped(run->crawl) == CRAWL_GOES_ON) {
        transport_send(run->transport, buf_view(&flight->sending), on_reply, flight);
        return;
    }
    flight->recalled = true;
    crawl_recall(run->crawl, flight->job);
    flight->job = NULL;
    writer_record(run->writer, flight);
}

static void watch_model(struct run *run, const struct flight *flight)
{
    const struct decoded *decoded = &flight->decoded;
    if (flight->outcome != OUTCOME_ANSWERED || decoded->n_answers == 0 ||
        (decoded->answers[0].flags & FLAG_MODEL_MISMATCH) == 0)
        return;
    if (run->result->model_mismatches++ > 0)
        return;
    snprintf(run->result->model_served, sizeof run->result->model_served, "%.*s",
             (int)decoded->model.n, decoded->model.p);
    console_warn(run->job->console,
                 "asked for the model '%s', answered by '%s'; it is "
                 "stored with every answer",
                 run->route.model, run->result->model_served);
}

static void on_recorded(void *arg, struct flight *flight)
{
    struct run *run = arg;
    watch_model(run, flight);
    if (flight->job != NULL)
        judge(run, flight);
    flight_free(flight);
}

static void on_job(void *arg, struct job *job)
{
    struct run *run = arg;
    crawl_add(run->crawl, job);
}

/* ---- storage trouble
 * ------------------------------------------------------------------------ */

/* What could not be written: intents were never sent; records are lost when a second try,
 * with the room of the reserve, fails too. They stay intents in the store, and so will be
 * ambiguous. */
static void give_up(struct run *run, struct flight *flight)
{
    if (flight->job == NULL) {
        flight_free(flight);
        return;
    }
    if (flight->ended_ms == 0) {
        crawl_recall(run->crawl, flight->job);
    } else {
        run->result->unwritten += flight->outcome == OUTCOME_ANSWERED;
        crawl_judge(run->crawl, flight->job, OUTCOME_AMBIGUOUS, REASON_NONE, -1,
                    uv_now(&run->loop));
    }
    flight_free(flight);
}

static void on_written(void *arg)
{
    struct run *run = arg;
    if (writer_failed(run->writer) == NULL || run->storage_failed)
        return;
    run->storage_failed = true;
    *run->err = *writer_failed(run->writer);
    crawl_stop(run->crawl);
    reserve_give(run->reserve);
    run->reserve = NULL;
    writer_retry(run->writer);
}

static void give_up_all(struct run *run)
{
    struct flight *flight;
    while ((flight = writer_give_back(run->writer)) != NULL)
        give_up(run, flight);
}

/* ---- the turn
 * ---------------------------------------------------------------------------------- */

static void fail(struct run *run, const struct err *err)
{
    if (run->err->code == ERR_NONE)
        *run->err = *err;
    crawl_stop(run->crawl);
}

static void start_flights(struct run *run)
{
    struct job *job;
    uint64_t now = uv_now(&run->loop);
    while (writer_has_room(run->writer) && (job = crawl_start(run->crawl, now)) != NULL) {
        struct flight *flight;
        struct err err = {0};
        if (flight_new(&run->route, job, &flight, &err) != 0) {
            crawl_recall(run->crawl, job);
            fail(run, &err);
            return;
        }
        flight->owner = run;
        writer_intend(run->writer, flight);
    }
}

static void ask_for_jobs(struct run *run)
{
    bool low = crawl_waiting(run->crawl) < run->window / 2;
    if (low && crawl_stopped(run->crawl) == CRAWL_GOES_ON && !writer_wants(run->writer) &&
        !writer_exhausted(run->writer))
        writer_want(run->writer, run->window);
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer; /* waking the loop is all: pump() follows */
}

static void set_alarm(struct run *run)
{
    uint64_t wait = crawl_wake(run->crawl, uv_now(&run->loop));
    /* Without room at the writer its next batch is what opens the way. */
    if (wait == PACER_REPLY || !writer_has_room(run->writer))
        uv_timer_stop(&run->wake);
    else
        uv_timer_start(&run->wake, on_wake, wait, 0);
}

static bool is_finished(const struct run *run)
{
    bool nothing_left = writer_exhausted(run->writer) && crawl_jobs(run->crawl) == 0;
    return writer_idle(run->writer) && crawl_flying(run->crawl) == 0 &&
           (nothing_left || crawl_stopped(run->crawl) != CRAWL_GOES_ON);
}

static void close_handles(struct run *run)
{
    run->closing = true;
    transport_close(run->transport);
    uv_close((uv_handle_t *)&run->turn, NULL);
    uv_close((uv_handle_t *)&run->wake, NULL);
    uv_close((uv_handle_t *)&run->tick, NULL);
    uv_close((uv_handle_t *)&run->drain, NULL);
    uv_close((uv_handle_t *)&run->signals[0], NULL);
    uv_close((uv_handle_t *)&run->signals[1], NULL);
}

static void pump(uv_prepare_t *turn)
{
    struct run *run = turn->data;
    struct job *job;
    if (run->storage_failed)
        give_up_all(run);
    while ((job = crawl_done(run->crawl)) != NULL)
        crawl_job_free(job);
    ask_for_jobs(run);
    start_flights(run);
    writer_kick(run->writer);
    set_alarm(run);
    if (is_finished(run))
        close_handles(run);
}

/* ---- signals and progress
 * -------------------------------------------------------------------------- */

static void on_drained(uv_timer_t *timer)
{
    struct run *run = timer->data;
    transport_cancel(run->transport);
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct run *run = handle->data;
    if (run->result->signal != 0) {
        console_notice(run->job->console, "stopping now");
        transport_cancel(run->transport);
        return;
    }
    run->result->signal = signal;
    crawl_stop(run->crawl);
    console_notice(run->job->console, "draining %zu requests; once more to stop now",
                   crawl_flying(run->crawl));
    uv_timer_start(&run->drain, on_drained, (uint64_t)run->job->config->drain_ms, 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    uint64_t now = uv_now(&run->loop);
    struct buf line;
    buf_init(&line, 1024);
    progress_tick(&run->progress, crawl_count(run->crawl), now);
    progress_line(&run->progress, run->crawl, now, &line);
    console_draw(run->job->console, buf_view(&line));
    buf_clear(&line);
}

/* ---- beginning and end
 * -------------------------------------------------------------------------------- */

static void init_handles(struct run *run)
{
    static const int signals[] = {SIGINT, SIGTERM};
    uv_prepare_init(&run->loop, &run->turn);
    uv_timer_init(&run->loop, &run->wake);
    uv_timer_init(&run->loop, &run->tick);
    uv_timer_init(&run->loop, &run->drain);
    run->turn.data = run->tick.data = run->drain.data = run;
    uv_prepare_start(&run->turn, pump);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&run->loop, &run->signals[i]);
        run->signals[i].data = run;
        uv_signal_start(&run->signals[i], on_signal, signals[i]);
    }
    if (run->job->console->live)
        uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
}

static void init_route(struct run *run, const struct codec *codec)
{
    const struct run_job *job = run->job;
    run->route = (struct route){
        .codec = codec,
        .crawl = run->crawl,
        .model = job->teacher->model,
        .params = span_of(job->plan->params),
        .system = span_of(job->teacher->system),
        .dialect = job->dialect,
        .run = job->plan->ids.run,
        .teacher = job->plan->ids.teacher,
        .terms = job->plan->ids.terms,
    };
}

static void init_core(struct run *run)
{
    const struct run_job *job = run->job;
    const struct teacher_conf *teacher = job->teacher;
    const struct crawl_conf conf = {
        .pacer = {.concurrency = teacher->concurrency, .rpm = teacher->rpm},
        .attempts = teacher->attempts,
        .max_wait_ms = teacher->max_wait_ms,
        .hold_ambiguous = strcmp(job->config->on_ambiguous, "hold") == 0,
        .seed = uv_hrtime(),
    };
    size_t twice = (size_t)teacher->concurrency * 2;
    run->window = twice > WINDOW_LEAST ? twice : WINDOW_LEAST;
    run->crawl = crawl_new(&conf);
    const struct writer_conf writer = {
        .store = job->store,
        .route = &run->route,
        .arg = run,
        .on_intended = on_intended,
        .on_recorded = on_recorded,
        .on_job = on_job,
        .on_written = on_written,
    };
    run->writer = writer_new(&run->loop, &writer);
}

static int init_transport(struct run *run, const struct codec *codec, struct err *err)
{
    const struct teacher_conf *teacher = run->job->teacher;
    run->url = mem_format("%s%s", teacher->url, codec->path);
    const struct transport_conf conf = {
        .url = run->url,
        .credential = run->job->credential,
        .user_agent = USER_AGENT,
        .timeout_ms = teacher->timeout_ms,
        .connect_timeout_ms = teacher->connect_timeout_ms,
        .max_reply = teacher->max_reply,
        .concurrency = teacher->concurrency,
    };
    return transport_new(&run->loop, &conf, &run->transport, err);
}

static void take_result(struct run *run)
{
    struct run_result *result = run->result;
    result->counts = *crawl_count(run->crawl);
    result->stop = crawl_stopped(run->crawl);
    result->stop_reason = crawl_stop_reason(run->crawl);
    result->asked_wait_ms = crawl_asked_wait_ms(run->crawl);
    result->elapsed_ms = uv_now(&run->loop) - run->progress.started_ms;
}

static int run_loop(struct run *run, const struct codec *codec, struct err *err)
{
    if (init_transport(run, codec, err) != 0)
        return -1;
    init_core(run);
    init_route(run, codec);
    init_handles(run);
    run->progress = (struct progress){
        .started_ms = uv_now(&run->loop),
        .total = run->job->plan->counts.todo,
    };
    uv_run(&run->loop, UV_RUN_DEFAULT);
    console_erase(run->job->console);
    take_result(run);
    writer_free(run->writer);
    crawl_free(run->crawl);
    return err->code == ERR_NONE ? 0 : -1;
}

int run_crawl(const struct run_job *job, struct run_result *result, struct err *err)
{
    const struct codec *codec = codec_find(job->teacher->wire);
    struct run run = {.job = job, .result = result, .err = err};
    *result = (struct run_result){0};
    if (codec == NULL) {
        err_set(err, ERR_USAGE, "there is no wire format '%s'", job->teacher->wire);
        return err_fix(err, "see `harvest --help` for those there are");
    }
    if (reserve_take(job->config->store, &run.reserve, err) != 0)
        return -1;
    uv_loop_init(&run.loop);
    int rc = run_loop(&run, codec, err);
    int left = uv_loop_close(&run.loop);
    assert(left == 0); /* every handle was closed: the cheapest leak check there is */
    (void)left;
    reserve_give(run.reserve);
    free(run.url);
    return rc;
}
