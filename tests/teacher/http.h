/* SPDX-License-Identifier: MIT */
/* http: HTTP/1.1 requests out of bytes that arrive in any pieces.
 *
 * Only what a server of tests needs, but that strictly: a client that sends something odd
 * is told so by status instead of being understood by luck. It opens nothing and sends
 * nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { HTTP_HEAD_MAX = 64 << 10, HTTP_BODY_MAX = 64 << 20 };

/* One request. Its spans lie in the input, or in the parser when the body was chunked,
 * and live until either changes. */
struct http_request {
    struct span method, target;
    struct span head; /* the header lines with their ends */
    struct span body;
    bool keep_alive;
    size_t taken; /* bytes of the input it consisted of */
};

enum http_result {
    HTTP_MORE,     /* bytes are missing */
    HTTP_CONTINUE, /* as HTTP_MORE; and the client waits for a 100, said once */
    HTTP_WHOLE,
    HTTP_BAD, /* see http.status; the connection is of no more use */
};

/* Where it is in a request, so that one that comes in many pieces is read once. Zeroed at
 * the start; http_next() makes it ready for the next request. */
struct http {
    size_t looked; /* no end of the head before here */
    size_t head;   /* bytes of it, with its empty line; 0: not seen yet */
    size_t length; /* of the body, by Content-Length */
    size_t chunk;  /* where the next chunk begins in the input */
    bool chunked, keep_alive, expects, got_length;
    struct buf body; /* of chunks */
    int status;      /* why it is bad: 400, 413, 431, 501, 505 */
};

/* Input: everything received since the last whole request. */
enum http_result http_parse(struct http *http, struct span input,
                            struct http_request *request);
void http_next(struct http *http);
void http_clear(struct http *http);

/* The value of a header, absent when there is none; of several the first. */
struct span http_header(const struct http_request *request, const char *name);
