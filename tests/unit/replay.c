/* SPDX-License-Identifier: MIT */
#include "tests/unit/replay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "harvest/flight.h"

struct event {
    struct heap_node node; /* first */
    struct flight *flight;
    const struct step *step;
};

struct replay {
    const struct replay_conf *conf;
    const struct script *script;
    struct replay_result *result;
    struct crawl *crawl;
    struct route route;
    struct heap events;
    uint64_t now, began, open_at; /* open_at: no start allowed before */
    uint64_t *starts;             /* times, for the windows */
    size_t n_starts, window;
    bool *billed; /* by job */
};

static void trace(struct replay *replay, uint64_t what, uint64_t job)
{
    const uint64_t parts[] = {replay->result->trace, what, job, replay->now};
    replay->result->trace = hash64(parts, sizeof parts);
}

static void add_jobs(struct replay *replay)
{
    for (int64_t i = 0; i < replay->conf->jobs; i++) {
        struct job *job = crawl_job_new();
        job->todo.request = i + 1;
        job->todo.messages = SPAN_LITERAL("[{\"content\":\"hi\",\"role\":\"user\"}]");
        crawl_add(replay->crawl, job);
    }
}

/* ---- the teacher's side ------------------------------------------------------------------- */

static void write_body(const struct step *step, struct buf *body)
{
    if (step->status >= 200 && step->status < 300) {
        buf_text(body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"m\","
                       "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                       "\"content\":\"yes\"},\"finish_reason\":\"stop\"}],\"usage\":{"
                       "\"prompt_tokens\":3,\"completion_tokens\":1}}");
        return;
    }
    buf_text(body, "{\"error\":{\"message\":");
    json_add_string(body, step->message.p != NULL ? step->message : SPAN_LITERAL("no"));
    buf_text(body, ",\"type\":null,\"param\":null,\"code\":null}}");
}

static void write_headers(const struct step *step, struct buf *headers)
{
    if (step->retry_after.p != NULL)
        buf_format(headers, "retry-after: %.*s\n", (int)step->retry_after.n,
                   step->retry_after.p);
    if (step->location.p != NULL)
        buf_format(headers, "location: %.*s\n", (int)step->location.n, step->location.p);
}

static enum transport_end end_of(enum step_kind kind)
{
    switch (kind) {
    case STEP_REPLY:
    case STEP_DRIP:
        return TRANSPORT_WHOLE;
    case STEP_HANG:
        return TRANSPORT_TIMEOUT;
    case STEP_BOMB:
        return TRANSPORT_TOO_LARGE;
    case STEP_REFUSE:
        return TRANSPORT_UNSENT;
    default:
        return TRANSPORT_CUT;
    }
}

static void bill(struct replay *replay, const struct step *step, int64_t job)
{
    bool refused = step->kind == STEP_REPLY && (step->status < 200 || step->status > 299);
    if (step->kind == STEP_REFUSE)
        return;
    replay->result->sent++;
    if (refused)
        return;
    replay->result->billed++;
    replay->result->distinct += !replay->billed[job - 1];
    replay->billed[job - 1] = true;
}

static void note_start(struct replay *replay)
{
    struct replay_result *result = replay->result;
    uint64_t flying = crawl_flying(replay->crawl);
    replay->starts[replay->n_starts++] = replay->now;
    while (replay->starts[replay->window] + 60000 <= replay->now)
        replay->window++;
    uint64_t in_minute = replay->n_starts - replay->window;
    if (in_minute > result->most_in_minute)
        result->most_in_minute = in_minute;
    if (flying > result->most_in_flight)
        result->most_in_flight = flying;
    result->early += replay->now < replay->open_at;
}

static void send(struct replay *replay, struct job *job)
{
    struct event *event = mem_new(sizeof *event);
    struct err err = {0};
    int rc = flight_new(&replay->route, job, &event->flight, &err);
    assert(rc == 0);
    (void)rc;
    note_start(replay);
    event->step = script_find(replay->script, replay->n_starts);
    bill(replay, event->step, job->todo.request);
    int64_t delay = event->step->delay_ms + replay->conf->latency_ms;
    if (event->step->kind == STEP_HANG)
        delay = replay->conf->timeout_ms;
    trace(replay, 1, (uint64_t)job->todo.request);
    heap_insert(&replay->events, &event->node, replay->now + (uint64_t)delay);
}

/* ---- and back ------------------------------------------------------------------------------ */

static void land(struct replay *replay, struct event *event)
{
    struct flight *flight = event->flight;
    const struct step *step = event->step;
    struct buf headers, body;
    buf_init(&headers, 1 << 16);
    buf_init(&body, 1 << 20);
    enum transport_end end = end_of(step->kind);
    if (end == TRANSPORT_WHOLE) {
        write_headers(step, &headers);
        write_body(step, &body);
    }
    struct transport_reply reply = {
        .end = end,
        .sent = end != TRANSPORT_UNSENT,
        .status = end == TRANSPORT_WHOLE ? step->status : 0,
        .curl_code = end == TRANSPORT_WHOLE ? 0 : 1,
        .message = end == TRANSPORT_WHOLE ? "" : "scripted",
        .headers = &headers,
        .body = &body,
    };
    flight_land(flight, &reply, (int64_t)replay->now);
    crawl_landed(replay->crawl, flight->job);
    flight_decode(&replay->route, flight);
    if (flight->outcome == OUTCOME_LATER && step->retry_after_ms >= 0) {
        uint64_t open_at = replay->now + (uint64_t)step->retry_after_ms;
        replay->open_at = open_at > replay->open_at ? open_at : replay->open_at;
    }
    trace(replay, 2 + (uint64_t)flight->outcome, (uint64_t)flight->request);
    crawl_judge(replay->crawl, flight->job, flight->outcome, flight->reason,
                flight->decoded.retry_after_ms, replay->now);
    flight_free(flight);
}

static void free_done(struct replay *replay)
{
    struct job *job;
    while ((job = crawl_done(replay->crawl)) != NULL) {
        trace(replay, 100 + (uint64_t)job->outcome, (uint64_t)job->todo.request);
        crawl_job_free(job);
    }
}

/* The next moment at which something can happen; false: never. */
static bool advance(struct replay *replay)
{
    struct heap_node *node = heap_peek(&replay->events);
    uint64_t wake = crawl_wake(replay->crawl, replay->now);
    uint64_t next = node != NULL ? node->at : UINT64_MAX;
    if (wake != PACER_REPLY && replay->now + wake < next)
        next = replay->now + wake;
    if (next == UINT64_MAX)
        return false;
    replay->now = next > replay->now ? next : replay->now;
    return true;
}

static void step_once(struct replay *replay)
{
    struct heap_node *node;
    while ((node = heap_peek(&replay->events)) != NULL && node->at <= replay->now) {
        heap_remove(&replay->events, node);
        land(replay, (struct event *)node);
        free(node);
    }
    struct job *job;
    while ((job = crawl_start(replay->crawl, replay->now)) != NULL)
        send(replay, job);
    free_done(replay);
}

void replay_run(const struct replay_conf *conf, const struct script *script,
                struct replay_result *result)
{
    struct replay replay = {.conf = conf, .script = script, .result = result};
    size_t most = (size_t)conf->jobs * 64 + 100000;
    *result = (struct replay_result){0};
    replay.crawl = crawl_new(&conf->crawl);
    replay.route = (struct route){.codec = codec_find("openai-chat"),
                                  .crawl = replay.crawl,
                                  .model = "m",
                                  .params = SPAN_LITERAL("{}")};
    replay.starts = mem_array(most, sizeof *replay.starts);
    replay.billed = mem_array((size_t)conf->jobs, sizeof *replay.billed);
    replay.now = replay.began = 86400000;
    add_jobs(&replay);
    do
        step_once(&replay);
    while (replay.n_starts < most - (size_t)conf->crawl.pacer.concurrency &&
           advance(&replay));
    result->counts = *crawl_count(replay.crawl);
    result->stop = crawl_stopped(replay.crawl);
    result->reason = crawl_stop_reason(replay.crawl);
    result->took_ms = replay.now - replay.began;
    result->unfinished = crawl_jobs(replay.crawl);
    assert(replay.events.n == 0);
    crawl_free(replay.crawl);
    heap_clear(&replay.events);
    free(replay.starts);
    free(replay.billed);
}
