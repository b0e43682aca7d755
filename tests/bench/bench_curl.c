/* SPDX-License-Identifier: MIT */
/* bench_curl: what libcurl alone costs. POSTs one body over and over, throws replies
 * away.
 *
 *   bench_curl URL COUNT CONCURRENCY BODY-FILE
 *
 * curl_multi_poll is the cheapest loop there is when every connection is always busy,
 * which makes this the floor of any client on libcurl. Exit status 1 unless all got 200.
 */
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

struct load {
    CURLM *multi;
    long todo, good, bad;
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static CURL *easy_new(const char *url, const struct buf *body, struct curl_slist *headers)
{
    CURL *easy = mem_check(curl_easy_init());
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->p);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body->n);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return easy;
}

static void start(struct load *load, CURL *easy)
{
    if (load->todo == 0)
        return;
    load->todo--;
    curl_multi_add_handle(load->multi, easy);
}

static void finish(struct load *load)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(load->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && status == 200)
            load->good++;
        else
            load->bad++;
        curl_multi_remove_handle(load->multi, easy);
        start(load, easy);
    }
}

static void run(struct load *load, long count)
{
    int running;
    while (load->good + load->bad < count) {
        curl_multi_perform(load->multi, &running);
        finish(load);
        if (running > 0)
            curl_multi_poll(load->multi, NULL, 0, 1000, NULL);
    }
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct buf body = {.max = 1 << 20};
    if (argc != 5 || file_read(argv[4], body.max, &body, &err) != 0) {
        fprintf(stderr, "usage: bench_curl URL COUNT CONCURRENCY BODY-FILE\n");
        return 2;
    }
    long count = strtol(argv[2], NULL, 10);
    size_t n = strtoul(argv[3], NULL, 10);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct load load = {.multi = mem_check(curl_multi_init()), .todo = count};
    curl_multi_setopt(load.multi, CURLMOPT_MAXCONNECTS, (long)n);
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json");
    CURL **easies = mem_array(n, sizeof *easies);
    for (size_t i = 0; i < n; i++) {
        easies[i] = easy_new(argv[1], &body, headers);
        start(&load, easies[i]);
    }
    run(&load, count);
    for (size_t i = 0; i < n; i++)
        curl_easy_cleanup(easies[i]);
    free(easies);
    curl_multi_cleanup(load.multi);
    curl_slist_free_all(headers);
    curl_global_cleanup();
    free(body.p);
    if (load.good != count)
        fprintf(stderr, "bench_curl: %ld of %ld failed\n", load.bad, count);
    return load.good == count ? 0 : 1;
}
