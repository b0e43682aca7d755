/* SPDX-License-Identifier: MIT */
/* transport_fetch: a few GETs at once, without a loop, before the crawl begins. */
#include <stdlib.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "harvest/credential.h"
#include "harvest/transport.h"

enum { FETCH_MAX = 4 << 20 };

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct buf *body = arg;
    buf_add(body, p, size * n);
    return body->overflowed ? 0 : size * n;
}

static CURL *start(CURLM *multi, struct fetch *fetch, const char *user_agent,
                   int64_t timeout_ms, struct curl_slist **headers)
{
    buf_init(&fetch->body, FETCH_MAX);
    fetch->end = TRANSPORT_UNSENT;
    fetch->status = 0;
    fetch->message[0] = '\0';
    CURL *easy = mem_check(curl_easy_init());
    if (fetch->credential != NULL)
        *headers = curl_slist_append(NULL, credential_header(fetch->credential));
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &fetch->body);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_multi_add_handle(multi, easy);
    return easy;
}

static void read_results(CURLM *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        struct fetch *fetch = NULL;
        long status = 0;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        credential_scrub(fetch->credential, fetch->body.p, fetch->body.n);
        fetch->status = (int)status;
        fetch->end = code == CURLE_OK                   ? TRANSPORT_WHOLE
                     : fetch->body.overflowed           ? TRANSPORT_TOO_LARGE
                     : code == CURLE_OPERATION_TIMEDOUT ? TRANSPORT_TIMEOUT
                     : status != 0                      ? TRANSPORT_CUT
                                                        : TRANSPORT_UNSENT;
        if (code != CURLE_OK)
            snprintf(fetch->message, sizeof fetch->message, "%s",
                     curl_easy_strerror(code));
    }
}

void transport_fetch(struct fetch *fetches, size_t n, const char *user_agent,
                     int64_t timeout_ms)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = mem_check(curl_multi_init());
    CURL **easies = mem_array(n, sizeof(CURL *));
    struct curl_slist **headers = mem_array(n, sizeof(struct curl_slist *));
    for (size_t i = 0; i < n; i++)
        easies[i] = start(multi, &fetches[i], user_agent, timeout_ms, &headers[i]);
    int running = 1;
    while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK) {
        read_results(multi);
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    read_results(multi);
    for (size_t i = 0; i < n; i++) {
        curl_multi_remove_handle(multi, easies[i]);
        curl_easy_cleanup(easies[i]);
        curl_slist_free_all(headers[i]);
    }
    free(easies);
    free(headers);
    curl_multi_cleanup(multi);
}

int transport_origin(const char *url, char *origin, size_t size)
{
    CURLU *parsed = mem_check(curl_url());
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool fine =
        curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (fine)
        fine = (size_t)snprintf(origin, size, "%s://%s:%s", scheme, host, port) < size;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return fine ? 0 : -1;
}
