/* SPDX-License-Identifier: MIT */
/* transport: bytes out to one teacher, bytes back in.
 *
 * libcurl's multi interface on a libuv loop; one object, and so one connection cache, per
 * teacher. It knows nothing of prompts or answers. Redirects are never followed, decoded
 * bytes are counted against a ceiling, and a credential only ever goes to the origin the
 * object was made for. HTTP/1.1 with kept connections.
 *
 * Two rules of its inside: libcurl is never called from within a libcurl callback, and
 * after every call of it completions are read (a last transfer that ends by time-out is
 * lost otherwise). A poll handle is kept as long as its connection: libcurl drops and
 * takes up a socket's events around every transfer, and doing that in the kernel each
 * time costs more than the transfer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct uv_loop_s;
struct credential;
struct transport;

struct transport_conf {
    const char *url;                     /* of every request: scheme, host, path */
    const struct credential *credential; /* NULL: none; outlives the transport */
    const char *user_agent;
    int64_t timeout_ms;         /* whole exchange */
    int64_t connect_timeout_ms; /* until the connection stands, TLS included */
    int64_t max_reply;          /* decoded bytes of a body */
    int64_t concurrency;        /* connections kept warm */
};

/* How an exchange went at this level. */
enum transport_end {
    TRANSPORT_WHOLE,     /* a complete reply, whatever its status */
    TRANSPORT_UNSENT,    /* proven: the teacher cannot have seen the whole request */
    TRANSPORT_CUT,       /* the request went out; the reply did not come back whole */
    TRANSPORT_TIMEOUT,   /* likewise, by our own time limit */
    TRANSPORT_TOO_LARGE, /* the reply exceeded max_reply */
    TRANSPORT_CANCELLED, /* transport_cancel(); `sent` says if it may have been seen */
};

struct transport_reply {
    enum transport_end end;
    bool sent;  /* the whole request had left */
    int status; /* 0: none came */
    int curl_code;
    const char *message; /* libcurl's words; "" when it went well */
    struct buf *headers; /* interesting ones: "name: value\n", names in lower case */
    struct buf *body;    /* buf_take() may be called on both by the receiver */
};

/* Called exactly once per request, never from within transport_send(), and may itself
 * call transport_send(). */
typedef void transport_done(void *arg, struct transport_reply *reply);

/* Errors: ERR_USAGE for a url that is none or whose scheme is neither http nor https. */
int transport_new(struct uv_loop_s *loop, const struct transport_conf *conf,
                  struct transport **transport, struct err *err);

/* POSTs a JSON body, which must live until done is called. */
void transport_send(struct transport *transport, struct span body, transport_done *done,
                    void *arg);

/* Ends all exchanges now: done is called for each before this returns. */
void transport_cancel(struct transport *transport);

/* Requires: nothing is out. The memory is freed by the loop, which must run until idle.
 */
void transport_close(struct transport *transport);

/* GETs several URLs at once without a loop (to look for servers), each with its own
 * credential-free connection unless one is given. Blocks for at most timeout_ms.
 * replies[i].body is to be cleared by the caller; end != TRANSPORT_WHOLE: no answer. */
struct fetch {
    const char *url;
    const struct credential *credential;
    enum transport_end end;
    int status;
    struct buf body;
    char message[256];
};
void transport_fetch(struct fetch *fetches, size_t n, const char *user_agent,
                     int64_t timeout_ms);

/* Splits an URL: the origin "scheme://host:port" with the port spelt out. Returns 0, or
 * -1 when it is none. */
int transport_origin(const char *url, char *origin, size_t size);
