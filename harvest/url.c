/* SPDX-License-Identifier: MIT */
#include "harvest/url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { URL_MAX = 2048, PORT_MAX = 65535 };

struct parts {
    bool tls;
    struct span host, path;
    int port; /* 0: none given */
};

static int refuse(const char *url, const char *why, struct err *err)
{
    err_set(err, ERR_USAGE, "'%.200s' is no address of a teacher", url);
    err_why(err, "%s", why);
    return err_fix(err, "give scheme, host and port, such as http://127.0.0.1:8080");
}

/* Before anything else, for everything else shows the address. */
static int check_password(const char *url, struct err *err)
{
    if (strchr(url, '@') == NULL)
        return 0;
    err_set(err, ERR_USAGE, "the address holds a user name or password ('@')");
    return err_fix(err, "give the credential as 'key_file' of a teacher in harvest.yaml");
}

static int check_bytes(const char *url, struct err *err)
{
    if (strlen(url) > URL_MAX)
        return refuse(url, "it is longer than any address", err);
    for (const char *p = url; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '\\')
            return refuse(url, "it holds a character that addresses do not have", err);
        if (*p == '?' || *p == '#')
            return refuse(url, "it goes on behind the path ('?' or '#')", err);
    }
    return 0;
}

static bool is_host(struct span host)
{
    bool brackets = host.n > 0 && host.p[0] == '[';
    const char *extra = brackets ? "[]:.%" : "-._";
    for (size_t i = 0; i < host.n; i++) {
        if (!isalnum((unsigned char)host.p[i]) && strchr(extra, host.p[i]) == NULL)
            return false;
    }
    return brackets ? host.n > 2 && host.p[host.n - 1] == ']' : host.n > 0;
}

/* ":8080" or nothing. */
static bool read_port(const char *p, const char *end, int *port)
{
    if (p == end)
        return true;
    int value = 0;
    for (p++; p < end; p++) {
        if (!isdigit((unsigned char)*p) || (value = value * 10 + *p - '0') > PORT_MAX)
            return false;
    }
    *port = value;
    return value > 0;
}

static int split(const char *url, struct parts *parts, struct err *err)
{
    *parts = (struct parts){.tls = strncasecmp(url, "https://", 8) == 0};
    if (!parts->tls && strncasecmp(url, "http://", 7) != 0)
        return refuse(url, "it does not begin with http:// or https://", err);
    const char *host = url + (parts->tls ? 8 : 7);
    const char *end = host + strcspn(host, "/");
    const char *tail = host[0] == '[' ? memchr(host, ']', (size_t)(end - host)) : host;
    const char *colon = tail == NULL ? NULL : memchr(tail, ':', (size_t)(end - tail));
    if (colon == NULL)
        colon = end;
    parts->host = (struct span){host, (size_t)(colon - host)};
    parts->path = span_of(end);
    if (!is_host(parts->host))
        return refuse(url, "its host is missing or misspelt", err);
    if (!read_port(colon, end, &parts->port))
        return refuse(url, "its port is not a number from 1 to 65535", err);
    return 0;
}

static bool cut_tail(struct span *path, const char *tail)
{
    size_t n = strlen(tail);
    if (path->n < n || memcmp(path->p + path->n - n, tail, n) != 0)
        return false;
    path->n -= n;
    return true;
}

static struct span cut_path(struct span path)
{
    while (cut_tail(&path, "/"))
        continue;
    if (cut_tail(&path, "/chat/completions") || cut_tail(&path, "/completions"))
        while (cut_tail(&path, "/"))
            continue;
    if (cut_tail(&path, "/v1"))
        while (cut_tail(&path, "/"))
            continue;
    return path;
}

char *url_normalise(const char *url, struct err *err)
{
    struct parts parts;
    if (check_password(url, err) != 0 || check_bytes(url, err) != 0 ||
        split(url, &parts, err) != 0)
        return NULL;
    struct buf out;
    buf_init(&out, 2 * URL_MAX);
    buf_text(&out, parts.tls ? "https://" : "http://");
    for (size_t i = 0; i < parts.host.n; i++)
        buf_byte(&out, (char)tolower((unsigned char)parts.host.p[i]));
    if (parts.port != 0 && parts.port != (parts.tls ? 443 : 80))
        buf_format(&out, ":%d", parts.port);
    buf_span(&out, cut_path(parts.path));
    return buf_take(&out);
}

struct span url_origin(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return (struct span){url, (size_t)(host - url) + strcspn(host, "/")};
}
