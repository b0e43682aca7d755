/* SPDX-License-Identifier: MIT */
#include "harvest/flight.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

enum { REQUEST_MAX = 256 << 20, HEADERS_MAX = 16 << 10 };

static int merge_params(const struct route *route, const struct todo *todo,
                        struct arena *arena, struct span *params, struct err *err)
{
    if (todo->params.n == 0) { /* the usual case: canonical already */
        *params = route->params;
        return 0;
    }
    const struct span both[] = {route->params, todo->params};
    return json_merge(both, 2, arena, params, err);
}

int flight_new(const struct route *route, struct job *job, struct flight **flight,
               struct err *err)
{
    struct flight *made = mem_new(sizeof *made);
    made->job = job;
    made->request = job->todo.request;
    buf_init(&made->sending, REQUEST_MAX);
    made->ask = (struct ask){
        .model = span_of(route->model),
        .system = route->system,
        .messages = job->todo.messages,
        .dialect = route->dialect,
    };
    int rc = merge_params(route, &job->todo, &made->arena, &made->ask.params, err);
    if (rc == 0)
        rc = route->codec->encode(&made->ask, &made->sending, err);
    if (rc == 0 && made->sending.overflowed)
        rc = err_set(err, ERR_USAGE, "a request has more than %d MiB", REQUEST_MAX >> 20);
    if (rc != 0) {
        flight_free(made);
        return -1;
    }
    *flight = made;
    return 0;
}

void flight_free(struct flight *flight)
{
    if (flight == NULL)
        return;
    arena_clear(&flight->arena);
    buf_clear(&flight->sending);
    buf_clear(&flight->headers);
    buf_clear(&flight->body);
    free(flight);
}

static void move_buf(struct buf *to, struct buf *from)
{
    *to = *from;
    buf_init(from, to->max);
}

void flight_land(struct flight *flight, struct transport_reply *reply, int64_t now_ms)
{
    flight->end = reply->end;
    flight->sent = reply->sent;
    flight->status = reply->status;
    flight->curl_code = reply->curl_code;
    flight->ended_ms = now_ms;
    snprintf(flight->message, sizeof flight->message, "%s", reply->message);
    move_buf(&flight->headers, reply->headers);
    move_buf(&flight->body, reply->body);
}

bool flight_is_small(const struct flight *flight)
{
    return flight->end != TRANSPORT_WHOLE || flight->status < 200 || flight->status > 299;
}

/* What the transport alone can say; ANSWERED stands for "ask the codec". */
static enum outcome transport_outcome(const struct flight *flight, enum reason *reason)
{
    switch (flight->end) {
    case TRANSPORT_WHOLE:
        *reason = REASON_NONE;
        return OUTCOME_ANSWERED;
    case TRANSPORT_UNSENT:
        *reason = REASON_CONNECT;
        return OUTCOME_UNSENT;
    case TRANSPORT_TIMEOUT:
        *reason = REASON_TIMEOUT;
        return OUTCOME_AMBIGUOUS;
    case TRANSPORT_TOO_LARGE: /* it would be as large again */
        *reason = REASON_TOO_LARGE;
        return OUTCOME_FAILED;
    case TRANSPORT_CANCELLED:
        *reason = REASON_CANCELLED;
        return flight->sent ? OUTCOME_AMBIGUOUS : OUTCOME_UNSENT;
    default:
        *reason = REASON_CUT;
        return OUTCOME_AMBIGUOUS;
    }
}

static struct span one_line(const char *text)
{
    struct span span = span_of(text);
    const char *end = memchr(text, '\n', span.n);
    if (end != NULL)
        span.n = (size_t)(end - text);
    return span;
}

void flight_decode(const struct route *route, struct flight *flight)
{
    if (flight->recalled || flight->outcome != OUTCOME_NONE)
        return;
    struct decoded *decoded = &flight->decoded;
    decoded->usage = (struct usage){-1, -1, -1, -1};
    decoded->retry_after_ms = -1;
    decoded->outcome = transport_outcome(flight, &decoded->reason);
    /* A reply that was cut may hold the whole answer all the same. */
    if (flight->end == TRANSPORT_WHOLE ||
        (flight->end == TRANSPORT_CUT && flight->status)) {
        struct reply reply = {
            .status = flight->status,
            .headers = buf_view(&flight->headers),
            .body = buf_view(&flight->body),
            .cut = flight->end != TRANSPORT_WHOLE,
        };
        route->codec->decode(&reply, &flight->ask, &flight->arena, decoded);
    }
    if (decoded->note.n == 0 && flight->message[0] != '\0')
        decoded->note = one_line(flight->message);
    flight->reason = decoded->reason;
    flight->outcome = crawl_verdict(route->crawl, flight->job, decoded->outcome);
}

int flight_record(const struct route *route, struct flight *flight, struct store *store,
                  struct err *err)
{
    if (flight->recalled)
        return store_unsent(store, flight->attempt, err);
    const struct decoded *decoded = &flight->decoded;
    struct attempt attempt = {
        .attempt = flight->attempt,
        .run = route->run,
        .request = flight->request,
        .teacher = route->teacher,
        .terms = route->terms,
        .sent_ms = flight->sent_ms,
        .ended_ms = flight->ended_ms,
        .outcome = flight->outcome,
        .reason = flight->reason,
        .status = flight->status,
        .curl_code = flight->curl_code,
        .usage = decoded->usage,
        .request_id = decoded->request_id,
        .model = decoded->model,
        .fingerprint = decoded->fingerprint,
        .note = decoded->note,
        .limits = buf_view(&flight->headers),
        .body = buf_view(&flight->body),
    };
    bool answered = flight->outcome == OUTCOME_ANSWERED;
    return store_settled(store, &attempt, answered ? decoded->answers : NULL,
                         &flight->request, answered ? 1 : 0, err);
}
