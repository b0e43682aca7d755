/* SPDX-License-Identifier: MIT */
#include "harvest/transport.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>
#include <uv.h>

#include "base/mem.h"
#include "harvest/credential.h"

enum { HEADERS_MAX = 16 << 10, BUFFER_SIZE = 64 << 10 };

/* One connection's readiness; lives in a table by file descriptor. */
struct poll {
    uv_poll_t handle;
    struct transport *transport;
    curl_socket_t fd;
    int events; /* what libuv watches now */
    bool idle;  /* libcurl wants nothing of it at present */
};

struct exchange {
    struct exchange *next_free;
    struct exchange *prev, *next; /* in flight */
    struct transport *transport;
    CURL *easy;
    transport_done *done;
    void *arg;
    size_t length;  /* of the request body */
    unsigned begun; /* how often libcurl began to send it */
    struct buf headers, body;
    char message[CURL_ERROR_SIZE];
};

struct transport {
    uv_loop_t *loop;
    uv_timer_t timer;
    CURLM *multi;
    CURLSH *share; /* TLS sessions, so that new connections resume */
    CURLU *url;
    struct curl_slist *headers;
    char *user_agent;
    bool loopback; /* no proxy is asked */
    struct transport_conf conf;
    struct poll **polls; /* by fd */
    bool *ours;          /* by fd: made by open_socket(), closed by close_socket() */
    size_t polls_cap;
    struct exchange *free_list, *flying;
    size_t in_flight;
    bool closing;
};

/* ---- polls
 * -------------------------------------------------------------------------------- */

static void act(struct transport *transport, curl_socket_t fd, int events);

static void grow_tables(struct transport *transport, curl_socket_t fd)
{
    size_t need = (size_t)fd + 1;
    if (need <= transport->polls_cap)
        return;
    size_t cap = transport->polls_cap ? transport->polls_cap : 64;
    while (cap < need)
        cap *= 2;
    transport->polls = mem_grow(transport->polls, cap, sizeof *transport->polls);
    transport->ours = mem_grow(transport->ours, cap, sizeof *transport->ours);
    for (size_t i = transport->polls_cap; i < cap; i++) {
        transport->polls[i] = NULL;
        transport->ours[i] = false;
    }
    transport->polls_cap = cap;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* libuv lets go of the descriptor at once; the memory follows when its callback comes. */
static void drop_poll(struct transport *transport, curl_socket_t fd)
{
    if ((size_t)fd >= transport->polls_cap || transport->polls[fd] == NULL)
        return;
    struct poll *poll = transport->polls[fd];
    transport->polls[fd] = NULL;
    uv_close((uv_handle_t *)&poll->handle, on_poll_closed);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct poll *poll = handle->data;
    if (poll->idle) { /* news on a connection nobody uses: libcurl will find out itself */
        uv_poll_stop(handle);
        poll->events = 0;
        return;
    }
    int flags = 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    if (status < 0)
        flags = CURL_CSELECT_ERR;
    act(poll->transport, poll->fd, flags);
}

static struct poll *find_poll(struct transport *transport, curl_socket_t fd)
{
    grow_tables(transport, fd);
    if (transport->polls[fd] != NULL)
        return transport->polls[fd];
    struct poll *poll = mem_new(sizeof *poll);
    poll->transport = transport;
    poll->fd = fd;
    if (uv_poll_init_socket(transport->loop, &poll->handle, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->handle.data = poll;
    transport->polls[fd] = poll;
    return poll;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    (void)easy;
    (void)unused;
    struct transport *transport = arg;
    grow_tables(transport, fd);
    if (what == CURL_POLL_REMOVE) {
        /* Descriptors that libcurl made for itself (its resolver's) it also closes by
         * itself: only ours are safe to keep. */
        if (!transport->ours[fd])
            drop_poll(transport, fd);
        else if (transport->polls[fd] != NULL)
            transport->polls[fd]->idle = true;
        return 0;
    }
    struct poll *poll = find_poll(transport, fd);
    if (poll == NULL)
        return -1;
    int events = 0;
    events |= what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    poll->idle = false;
    if (events != poll->events && uv_poll_start(&poll->handle, events, on_ready) == 0)
        poll->events = events;
    return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    (void)purpose;
    struct transport *transport = arg;
    curl_socket_t fd =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd != CURL_SOCKET_BAD) {
        grow_tables(transport, fd);
        transport->ours[fd] = true;
    }
    return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct transport *transport = arg;
    drop_poll(transport, fd);
    if ((size_t)fd < transport->polls_cap)
        transport->ours[fd] = false;
    return close(fd);
}

/* ---- one exchange
 * --------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *exchange = arg;
    buf_add(&exchange->body, p, size * n);
    return exchange->body.overflowed ? 0 : size * n;
}

static bool is_interesting(const char *p, size_t n)
{
    if (strchr("xXrRdDcClLaA", p[0]) == NULL)
        return false;
    static const char *const beginnings[] = {
        "x-request-id", "request-id",          "x-ratelimit", "x-should-retry",
        "retry-after",  "ratelimit",           "date:",       "content-type",
        "location",     "anthropic-ratelimit",
    };
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t length = strlen(beginnings[i]);
        if (n >= length && strncasecmp(p, beginnings[i], length) == 0)
            return true;
    }
    return false;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *exchange = arg;
    n *= size;
    if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
        buf_reset(&exchange->headers); /* what came before was a 1xx */
    if (!is_interesting(p, n))
        return n;
    size_t kept = n;
    while (kept > 0 && (p[kept - 1] == '\n' || p[kept - 1] == '\r'))
        kept--;
    size_t at = exchange->headers.n;
    buf_add(&exchange->headers, p, kept);
    buf_byte(&exchange->headers, '\n');
    for (size_t i = at; i < exchange->headers.n && exchange->headers.p[i] != ':'; i++)
        exchange->headers.p[i] = (char)tolower((unsigned char)exchange->headers.p[i]);
    return n;
}

/* libcurl sends a request again by itself when a kept connection turns out to be dead. It
 * cannot know that the teacher did not see the first one, so nor may we: the second
 * sending is refused, and the exchange ends as one whose outcome is unknown. */
static int on_begin(void *arg, char *remote_ip, char *local_ip, int remote, int local)
{
    (void)remote_ip;
    (void)local_ip;
    (void)remote;
    (void)local;
    struct exchange *exchange = arg;
    return exchange->begun++ == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static void set_security(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static struct exchange *exchange_new(struct transport *transport)
{
    const struct transport_conf *conf = &transport->conf;
    struct exchange *exchange = mem_new(sizeof *exchange);
    exchange->transport = transport;
    buf_init(&exchange->headers, HEADERS_MAX);
    buf_init(&exchange->body, (size_t)conf->max_reply);
    CURL *easy = exchange->easy = mem_check(curl_easy_init());
    set_security(easy);
    curl_easy_setopt(easy, CURLOPT_CURLU, transport->url);
    curl_easy_setopt(easy, CURLOPT_SHARE, transport->share);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transport->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, transport->user_agent);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)conf->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 300L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transport);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transport);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_begin);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    if (transport->loopback)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    else
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    buf_clear(&exchange->headers);
    buf_clear(&exchange->body);
    free(exchange);
}

static void link_flying(struct transport *transport, struct exchange *exchange)
{
    exchange->prev = NULL;
    exchange->next = transport->flying;
    if (exchange->next != NULL)
        exchange->next->prev = exchange;
    transport->flying = exchange;
    transport->in_flight++;
}

static void unlink_flying(struct transport *transport, struct exchange *exchange)
{
    if (exchange->prev != NULL)
        exchange->prev->next = exchange->next;
    else
        transport->flying = exchange->next;
    if (exchange->next != NULL)
        exchange->next->prev = exchange->prev;
    transport->in_flight--;
}

static bool is_before_sending(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_PROXY:
        return true;
    default:
        return false;
    }
}

/* The request counts as sent when libcurl has handed all of its body to the kernel. */
static bool was_sent(const struct exchange *exchange, CURLcode code)
{
    curl_off_t uploaded = 0;
    if (exchange->begun > 1)
        return true;
    curl_easy_getinfo(exchange->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    return !is_before_sending(code) && (size_t)uploaded >= exchange->length;
}

static enum transport_end classify(const struct exchange *exchange, CURLcode code,
                                   bool sent)
{
    if (code == CURLE_OK)
        return TRANSPORT_WHOLE;
    if (exchange->body.overflowed)
        return TRANSPORT_TOO_LARGE;
    if (!sent)
        return TRANSPORT_UNSENT;
    return code == CURLE_OPERATION_TIMEDOUT ? TRANSPORT_TIMEOUT : TRANSPORT_CUT;
}

/* Takes the exchange out of the multi and tells its owner. */
static void finish(struct exchange *exchange, CURLcode code, bool cancelled)
{
    struct transport *transport = exchange->transport;
    struct transport_reply reply = {
        .curl_code = (int)code,
        .sent = was_sent(exchange, code),
        .headers = &exchange->headers,
        .body = &exchange->body,
        .message = "",
    };
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    reply.status = (int)status;
    reply.end = cancelled ? TRANSPORT_CANCELLED : classify(exchange, code, reply.sent);
    if (code != CURLE_OK)
        reply.message =
            exchange->message[0] != '\0' ? exchange->message : curl_easy_strerror(code);
    curl_multi_remove_handle(transport->multi, exchange->easy);
    unlink_flying(transport, exchange);
    exchange->done(exchange->arg, &reply);
    buf_reset(&exchange->headers);
    buf_reset(&exchange->body);
    exchange->next_free = transport->free_list;
    transport->free_list = exchange;
}

static void read_completions(struct transport *transport)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* does not survive the removal below */
        struct exchange *exchange = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        finish(exchange, code, false);
    }
}

static void act(struct transport *transport, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(transport->multi, fd, events, &running);
    read_completions(transport);
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wanted(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct transport *transport = arg;
    if (ms < 0)
        uv_timer_stop(&transport->timer);
    else if (!transport->closing)
        uv_timer_start(&transport->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

/* ---- the object
 * ------------------------------------------------------------------------------- */

static bool is_loopback(CURLU *url)
{
    char *host = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return false;
    bool loopback = strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0 ||
                    strcasecmp(host, "localhost") == 0;
    curl_free(host);
    return loopback;
}

static int parse_url(const char *text, CURLU **url, struct err *err)
{
    CURLU *made = mem_check(curl_url());
    CURLUcode rc = curl_url_set(made, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    char *scheme = NULL;
    if (rc == CURLUE_OK)
        rc = curl_url_get(made, CURLUPART_SCHEME, &scheme, 0);
    bool fine =
        rc == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    if (!fine) {
        curl_url_cleanup(made);
        err_set(err, ERR_USAGE, "'%s' is no address of a teacher", text);
        err_why(err, "%s",
                rc != CURLUE_OK ? curl_url_strerror(rc) : "the scheme is not http(s)");
        return err_fix(err, "give one like http://127.0.0.1:8080");
    }
    *url = made;
    return 0;
}

static struct curl_slist *make_headers(const struct credential *credential)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    list = curl_slist_append(list, "Accept: application/json");
    list = curl_slist_append(list, "Expect:"); /* no pause before a long prompt */
    if (credential != NULL)
        list = curl_slist_append(list, credential_header(credential));
    return mem_check(list);
}

int transport_new(struct uv_loop_s *loop, const struct transport_conf *conf,
                  struct transport **transport, struct err *err)
{
    CURLU *url = NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (parse_url(conf->url, &url, err) != 0)
        return -1;
    struct transport *made = mem_new(sizeof *made);
    made->loop = loop;
    made->conf = *conf;
    made->url = url;
    made->loopback = is_loopback(url);
    made->user_agent = mem_str(conf->user_agent);
    made->headers = make_headers(conf->credential);
    made->share = mem_check(curl_share_init());
    curl_share_setopt(made->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    made->multi = mem_check(curl_multi_init());
    curl_multi_setopt(made->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(made->multi, CURLMOPT_SOCKETDATA, made);
    curl_multi_setopt(made->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(made->multi, CURLMOPT_TIMERDATA, made);
    /* The default follows the number of transfers and closes warm connections in a dip.
     */
    curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, (long)conf->concurrency);
    uv_timer_init(loop, &made->timer);
    made->timer.data = made;
    *transport = made;
    return 0;
}

void transport_send(struct transport *transport, struct span body, transport_done *done,
                    void *arg)
{
    struct exchange *exchange = transport->free_list;
    if (exchange != NULL)
        transport->free_list = exchange->next_free;
    else
        exchange = exchange_new(transport);
    exchange->done = done;
    exchange->arg = arg;
    exchange->length = body.n;
    exchange->begun = 0;
    exchange->message[0] = '\0';
    curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDS, body.p);
    link_flying(transport, exchange);
    CURLMcode rc = curl_multi_add_handle(transport->multi, exchange->easy);
    assert(rc == CURLM_OK);
    (void)rc;
}

void transport_cancel(struct transport *transport)
{
    while (transport->flying != NULL)
        finish(transport->flying, CURLE_ABORTED_BY_CALLBACK, true);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct transport *transport = handle->data;
    free(transport->polls);
    free(transport->ours);
    free(transport->user_agent);
    free(transport);
}

void transport_close(struct transport *transport)
{
    assert(transport->in_flight == 0 && !transport->closing);
    transport->closing = true;
    while (transport->free_list != NULL) {
        struct exchange *exchange = transport->free_list;
        transport->free_list = exchange->next_free;
        exchange_free(exchange);
    }
    curl_multi_cleanup(transport->multi);
    curl_share_cleanup(transport->share);
    curl_slist_free_all(transport->headers);
    curl_url_cleanup(transport->url);
    uv_close((uv_handle_t *)&transport->timer, on_timer_closed);
}
