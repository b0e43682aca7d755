/* SPDX-License-Identifier: MIT */
#include "tests/teacher/conn.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

enum { BACKLOG = 1024, LINGER_MS = 2000, PID_MOST = 32 };

struct conn {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    struct conn *prev, *next;
    struct server *server;
    uint64_t id;
    struct buf in; /* bytes that no request has taken yet */
    struct http http;
    struct plan plan;
    size_t sent;  /* of plan.bytes */
    int open;     /* handles */
    bool busy;    /* a plan is being carried out */
    bool pumping; /* pump() is on the stack */
    bool over;    /* no more requests are read: it is being closed */
};

static void pump(struct conn *conn);
static void play(struct conn *conn);

/* ---- the end -------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    if (--conn->open > 0)
        return;
    buf_clear(&conn->in);
    http_clear(&conn->http);
    plan_clear(&conn->plan);
    free(conn);
}

static void leave(struct conn *conn, bool abandoned)
{
    if (conn->plan.in_flight)
        desk_leave(conn->server->desk, abandoned);
    conn->plan.in_flight = false;
}

static void unlink_conn(struct conn *conn)
{
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        conn->server->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
}

static void drop(struct conn *conn, bool reset)
{
    if (uv_is_closing((uv_handle_t *)&conn->timer))
        return;
    leave(conn, !reset);
    conn->over = true;
    unlink_conn(conn);
    uv_close((uv_handle_t *)&conn->timer, on_closed);
    if (!reset || uv_tcp_close_reset(&conn->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void on_linger(uv_timer_t *timer)
{
    drop(timer->data, false);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

/* Says that nothing more comes, and waits for the client to go: closing at once, with
 * bytes unread, would reset the connection and take from the client what it has not read. */
static void linger(struct conn *conn)
{
    conn->over = true;
    leave(conn, false);
    uv_shutdown_t *request = mem_new(sizeof *request);
    if (uv_shutdown(request, (uv_stream_t *)&conn->tcp, on_shutdown) != 0)
        free(request);
    uv_timer_start(&conn->timer, on_linger, LINGER_MS, 0);
}

/* As a user, a crash or the kernel would do it: at any instant, without a word. */
static void kill_client(const struct server *server)
{
    struct buf text;
    struct err err = {0};
    buf_init(&text, PID_MOST);
    long pid = file_read(server->kill_pid_file, PID_MOST, &text, &err) == 0 && text.n > 0
                   ? strtol(text.p, NULL, 10)
                   : 0;
    if (pid <= 1 || kill((pid_t)pid, SIGKILL) != 0)
        fprintf(stderr, "fake_teacher: nobody to kill in '%s'\n", server->kill_pid_file);
    buf_clear(&text);
}

static void end(struct conn *conn)
{
    switch (conn->plan.ending) {
    case ENDING_KEEP:
        leave(conn, false);
        conn->busy = false;
        pump(conn);
        break;
    case ENDING_CLOSE:
        linger(conn);
        break;
    case ENDING_RESET:
        drop(conn, true);
        break;
    case ENDING_KILL:
        kill_client(conn->server);
        break;
    case ENDING_HANG:
        break;
    }
}

/* ---- carrying out a plan -------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct conn *conn = request->data;
    if (status != 0)
        drop(conn, false);
    else
        play(conn);
}

/* False: the rest goes out later, and play() is called then. */
static bool put(struct conn *conn, struct span bytes)
{
    uv_buf_t buf = uv_buf_init((char *)bytes.p, (unsigned)bytes.n);
    int n = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    if (n == (int)bytes.n)
        return true;
    if (n > 0) {
        buf.base += n;
        buf.len -= (size_t)n;
    }
    conn->write.data = conn;
    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) != 0)
        drop(conn, false);
    return false;
}

/* What is to be said next, at most a piece of it. Empty: everything has been said. */
static struct span next_piece(struct conn *conn)
{
    struct plan *plan = &conn->plan;
    struct span said = {NULL, 0};
    if (conn->sent < plan->stop) {
        size_t end = plan->stop;
        if (plan->piece > 0 && conn->sent < plan->head)
            end = plan->head;
        else if (plan->piece > 0)
            end = conn->sent + plan->piece;
        end = end < plan->stop ? end : plan->stop;
        said = (struct span){plan->bytes.p + conn->sent, end - conn->sent};
        conn->sent = end;
    } else if (plan->repeat > 0) {
        plan->repeat--;
        said = plan->filler;
    } else {
        said = plan->last;
        plan->last.n = 0;
    }
    return said;
}

static void on_time(uv_timer_t *timer)
{
    play(timer->data);
}

/* One piece; then waits for its time when pieces have one. */
static void play(struct conn *conn)
{
    const struct plan *plan = &conn->plan;
    while (!conn->over) {
        struct span said = next_piece(conn);
        if (said.n == 0) {
            end(conn);
            return;
        }
        bool more = plan->piece > 0 && conn->sent < plan->stop;
        if (!put(conn, said))
            return;
        if (more) {
            uv_timer_start(&conn->timer, on_time, (uint64_t)plan->every_ms, 0);
            return;
        }
    }
}

static void start(struct conn *conn)
{
    conn->busy = true;
    conn->sent = 0;
    if (conn->plan.delay_ms > 0)
        uv_timer_start(&conn->timer, on_time, (uint64_t)conn->plan.delay_ms, 0);
    else
        play(conn);
}

/* ---- reading -------------------------------------------------------------------------- */

static void answer(struct conn *conn, struct http_request *request)
{
    plan_reset(&conn->plan);
    desk_answer(conn->server->desk, request, conn->id, uv_hrtime() / 1000, &conn->plan);
    http_next(&conn->http);
    start(conn);
}

/* Answers what has come, one request after the other. */
static void pump(struct conn *conn)
{
    size_t taken = 0;
    if (conn->pumping)
        return;
    conn->pumping = true;
    while (!conn->busy && !conn->over && taken < conn->in.n) {
        struct http_request request;
        struct span input = {conn->in.p + taken, conn->in.n - taken};
        enum http_result result = http_parse(&conn->http, input, &request);
        if (result == HTTP_WHOLE) {
            taken += request.taken;
            answer(conn, &request);
            continue;
        }
        if (result == HTTP_BAD) {
            plan_reset(&conn->plan);
            desk_reject(conn->server->desk, conn->http.status, &conn->plan);
            start(conn);
        } else if (result == HTTP_CONTINUE) {
            uv_buf_t go = uv_buf_init((char *)"HTTP/1.1 100 Continue\r\n\r\n", 25);
            uv_try_write((uv_stream_t *)&conn->tcp, &go, 1);
        }
        break;
    }
    conn->in.n -= taken;
    if (conn->in.n > 0)
        memmove(conn->in.p, conn->in.p + taken, conn->in.n);
    conn->pumping = false;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct conn *conn = handle->data;
    *buf = uv_buf_init(conn->server->input, sizeof conn->server->input);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    if (n < 0) {
        drop(conn, false);
        return;
    }
    if (conn->over)
        return;
    buf_add(&conn->in, buf->base, (size_t)n);
    if (conn->in.overflowed)
        drop(conn, false);
    else
        pump(conn);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    if (status != 0)
        return;
    struct conn *conn = mem_new(sizeof *conn);
    conn->server = server;
    conn->id = ++server->connections;
    buf_init(&conn->in, HTTP_HEAD_MAX + 2 * (size_t)HTTP_BODY_MAX);
    plan_init(&conn->plan);
    uv_tcp_init(server->loop, &conn->tcp);
    uv_timer_init(server->loop, &conn->timer);
    conn->tcp.data = conn->timer.data = conn;
    conn->open = 2;
    conn->next = server->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    server->conns = conn;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) != 0) {
        drop(conn, false);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read);
}

/* ---- the server ----------------------------------------------------------------------- */

int server_listen(struct server *server, const char *host, int *port, struct err *err)
{
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_init(server->loop, &server->listener);
    server->listener.data = server;
    int rc = uv_ip4_addr(host, *port, &address);
    if (rc == 0)
        rc = uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length);
    if (rc != 0)
        return err_set(err, ERR_USAGE, "listen on %s:%d: %s", host, *port,
                       uv_strerror(rc));
    *port = ntohs(address.sin_port);
    return 0;
}

void server_close(struct server *server)
{
    uv_close((uv_handle_t *)&server->listener, NULL);
    for (struct conn *conn = server->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        drop(conn, false);
    }
}
