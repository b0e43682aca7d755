/* SPDX-License-Identifier: MIT */
#include "tests/teacher/http.h"

#include <ctype.h>
#include <strings.h>

static enum http_result bad(struct http *http, int status)
{
    http->status = status;
    return HTTP_BAD;
}

static struct span trim(struct span text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
        text.n--;
    return text;
}

static bool same(struct span text, const char *word)
{
    return text.n == strlen(word) && strncasecmp(text.p, word, text.n) == 0;
}

/* Splits the first line off the head. False at its end. */
static bool next_header(struct span *head, struct span *name, struct span *value)
{
    const char *end = head->n > 0 ? memchr(head->p, '\n', head->n) : NULL;
    if (end == NULL)
        return false;
    struct span line = {head->p, (size_t)(end - head->p)};
    head->p = end + 1;
    head->n -= line.n + 1;
    const char *colon = memchr(line.p, ':', line.n);
    *name = (struct span){line.p, colon == NULL ? 0 : (size_t)(colon - line.p)};
    *value = (struct span){NULL, 0};
    if (colon != NULL)
        *value = trim((struct span){colon + 1, line.n - name->n - 1});
    return true;
}

struct span http_header(const struct http_request *request, const char *name)
{
    struct span head = request->head, key, value;
    while (next_header(&head, &key, &value))
        if (same(key, name))
            return value;
    return (struct span){NULL, 0};
}

static bool read_length(struct span text, unsigned base, size_t *length)
{
    static const char digits[] = "0123456789abcdef";
    *length = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = memchr(digits, tolower((unsigned char)text.p[i]), base);
        if (digit == NULL || *length > HTTP_BODY_MAX)
            return false;
        *length = *length * base + (size_t)(digit - digits);
    }
    return text.n > 0;
}

/* What a header means for where the request ends. Returns a status, 0 is fine. */
static int heed(struct http *http, struct span name, struct span value)
{
    if (name.n == 0 || name.p[name.n - 1] == ' ')
        return 400;
    if (strchr("cCtTeE", name.p[0]) == NULL)
        return 0;
    if (same(name, "content-length")) {
        size_t length;
        if (!read_length(value, 10, &length) ||
            (http->got_length && length != http->length))
            return 400;
        http->length = length;
        http->got_length = true;
    } else if (same(name, "transfer-encoding")) {
        if (!same(value, "chunked"))
            return 501;
        http->chunked = true;
    } else if (same(name, "connection")) {
        if (same(value, "close"))
            http->keep_alive = false;
        else if (same(value, "keep-alive"))
            http->keep_alive = true;
    } else if (same(name, "expect")) {
        if (!same(value, "100-continue"))
            return 400;
        http->expects = true;
    }
    return 0;
}

/* METHOD SP TARGET SP HTTP/1.x CRLF; returns its length, 0 when it is none. */
static size_t split_line(struct span head, struct http_request *request, bool *old)
{
    const char *end = memchr(head.p, '\n', head.n);
    const char *first = memchr(head.p, ' ', (size_t)(end - head.p));
    if (first == NULL || first == head.p)
        return 0;
    const char *second = memchr(first + 1, ' ', (size_t)(end - first - 1));
    if (second == NULL || second == first + 1 || end - second != 10 ||
        memcmp(second + 1, "HTTP/1.", 7) != 0 || end[-1] != '\r')
        return 0;
    request->method = (struct span){head.p, (size_t)(first - head.p)};
    request->target = (struct span){first + 1, (size_t)(second - first - 1)};
    *old = second[8] == '0';
    return (size_t)(end - head.p) + 1;
}

static enum http_result read_head(struct http *http, struct span input)
{
    struct http_request request;
    bool old = false;
    size_t from = http->looked > 3 ? http->looked - 3 : 0;
    const char *end = memmem(input.p + from, input.n - from, "\r\n\r\n", 4);
    http->looked = input.n;
    if (end == NULL)
        return input.n > HTTP_HEAD_MAX ? bad(http, 431) : HTTP_MORE;
    struct span head = {input.p, (size_t)(end - input.p) + 2};
    size_t line = split_line(head, &request, &old);
    if (line == 0)
        return bad(http, 400);
    http->keep_alive = !old;
    struct span rest = {head.p + line, head.n - line}, name, value;
    while (next_header(&rest, &name, &value)) {
        int status = heed(http, name, value);
        if (status != 0)
            return bad(http, status);
    }
    if (http->length > HTTP_BODY_MAX)
        return bad(http, 413);
    if (http->chunked && http->got_length)
        return bad(http, 400); /* two ends: the first step of request smuggling */
    http->head = http->chunk = head.n + 2;
    return HTTP_WHOLE;
}

/* Takes the chunks that have come. WHOLE: http->chunk is where the request ends. */
static enum http_result read_chunks(struct http *http, struct span input)
{
    for (;;) {
        const char *begin = input.p + http->chunk;
        size_t left = input.n - http->chunk, size;
        const char *end = left > 0 ? memchr(begin, '\n', left) : NULL;
        if (end == NULL)
            return left > 1024 ? bad(http, 400) : HTTP_MORE;
        struct span line = {begin, (size_t)(end - begin)};
        const char *extension = memchr(line.p, ';', line.n);
        if (extension != NULL)
            line.n = (size_t)(extension - line.p);
        if (!read_length(trim(line), 16, &size))
            return bad(http, 400);
        size_t data = (size_t)(end + 1 - input.p);
        if (input.n - data < size + 2)
            return size > HTTP_BODY_MAX ? bad(http, 413) : HTTP_MORE;
        if (memcmp(input.p + data + size, "\r\n", 2) != 0)
            return bad(http, 400); /* trailers are not understood either */
        buf_add(&http->body, input.p + data, size);
        if (http->body.overflowed)
            return bad(http, 413);
        http->chunk = data + size + 2;
        if (size == 0)
            return HTTP_WHOLE;
    }
}

static enum http_result read_body(struct http *http, struct span input)
{
    if (http->body.max == 0)
        buf_init(&http->body, HTTP_BODY_MAX);
    if (http->chunked)
        return read_chunks(http, input);
    return input.n - http->head < http->length ? HTTP_MORE : HTTP_WHOLE;
}

enum http_result http_parse(struct http *http, struct span input,
                            struct http_request *request)
{
    bool old;
    enum http_result result = HTTP_WHOLE;
    if (http->head == 0)
        result = read_head(http, input);
    if (result == HTTP_WHOLE)
        result = read_body(http, input);
    if (result == HTTP_MORE && http->expects && http->head > 0) {
        http->expects = false;
        return HTTP_CONTINUE;
    }
    if (result != HTTP_WHOLE)
        return result;
    struct span head = {input.p, http->head - 2};
    size_t line = split_line(head, request, &old);
    request->head = (struct span){head.p + line, head.n - line};
    request->keep_alive = http->keep_alive;
    request->body = (struct span){input.p + http->head, http->length};
    request->taken = http->head + http->length;
    if (http->chunked) {
        request->body = (struct span){http->body.n > 0 ? http->body.p : "", http->body.n};
        request->taken = http->chunk;
    }
    return HTTP_WHOLE;
}

void http_next(struct http *http)
{
    struct buf body = http->body;
    buf_reset(&body);
    *http = (struct http){.body = body};
}

void http_clear(struct http *http)
{
    buf_clear(&http->body);
    *http = (struct http){0};
}
