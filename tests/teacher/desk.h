/* SPDX-License-Identifier: MIT */
/* desk: what the fake teacher says to a request. It knows the paths, the key, the limits,
 * the script and the book; sockets are somebody else's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "tests/teacher/http.h"
#include "tests/teacher/response.h"

enum { DESK_MODELS_MAX = 8 };

/* As on the command line. */
struct desk_conf {
    const char *script, *book, *body, *log_bodies, *key, *owned_by;
    const char *models[DESK_MODELS_MAX];
    size_t n_models;
    int64_t rpm, rps;  /* requests a minute, a second; 0: no limit */
    int64_t delay_ms;  /* before every reply */
    int64_t size;      /* bytes an answer has */
    bool strict_model; /* other names are unknown */
    bool no_models;    /* no list of models is served */
    bool vary;         /* the same question is not answered the same twice */
    bool can_kill;     /* somebody is there to carry out the step `kill` */
};

struct desk;

int desk_new(const struct desk_conf *conf, struct desk **desk, struct err *err);
void desk_free(struct desk *desk); /* NULL is fine */

/* Answers a request: the plan, which is empty, says how. */
void desk_answer(struct desk *desk, const struct http_request *request,
                 uint64_t connection, uint64_t now_us, struct plan *plan);

/* The answer to a request that is none, by status; the connection closes after it. */
void desk_reject(struct desk *desk, int status, struct plan *plan);

/* A plan that was in flight has ended. */
void desk_leave(struct desk *desk, bool abandoned);

/* Appends the counts of the book as one JSON object. */
void desk_add_counts(const struct desk *desk, struct buf *out);
