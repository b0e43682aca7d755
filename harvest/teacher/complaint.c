/* SPDX-License-Identifier: MIT */
#include "harvest/teacher/complaint.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/scan.h"
#include "base/utf8.h"

enum {
    STATUS_FIRST = 100,
    STATUS_LAST = 599,
    NESTING_MAX = 2,    /* JSON inside of a message inside of JSON */
    MESSAGE_MAX = 8192, /* of a page; what it is about stands at its top */
};

/* ---- notes ---- */

static bool is_blank(uint32_t code)
{
    return code <= ' ' || (code >= 0x7f && code <= 0xa0);
}

/* Moves to the first place where the text is found, in any case. False: nowhere. */
static bool seek(struct span *text, const char *what)
{
    size_t n = strlen(what);
    for (struct span rest = *text; rest.n >= n; rest.p++, rest.n--) {
        if (strncasecmp(rest.p, what, n) != 0)
            continue;
        *text = rest;
        return true;
    }
    return false;
}

static struct span html_title(struct span page)
{
    struct span title = page;
    if (!seek(&title, "<title") || !seek(&title, ">"))
        return page;
    title = (struct span){title.p + 1, title.n - 1};
    struct span rest = title;
    if (seek(&rest, "<"))
        title.n -= rest.n;
    return title;
}

struct span note_line(struct span text, struct arena *arena)
{
    if (text.n > 0 && text.p[0] == '<')
        text = html_title(text);
    struct buf line;
    buf_init(&line, NOTE_MAX);
    bool gap = false;
    while (text.n > 0 && !line.overflowed) {
        uint32_t code;
        size_t n = utf8_decode(text, &code);
        if (n == 0 || !is_blank(code)) {
            char one[8] = " ";
            size_t space = gap && line.n > 0, size = n == 0 ? 3 : n;
            memcpy(one + space, n == 0 ? "\xef\xbf\xbd" : text.p, size);
            buf_add(&line, one, space + size); /* whole, or not at all */
        }
        gap = n > 0 && is_blank(code);
        n = n > 0 ? n : 1;
        text = (struct span){text.p + n, text.n - n};
    }
    struct span note =
        line.n == 0 ? (struct span){0} : arena_span(arena, buf_view(&line));
    buf_clear(&line);
    return note;
}

/* ---- members ---- */

struct reading {
    struct scan scan;
    struct arena *arena;
    struct complaint *complaint;
    struct span raw; /* what the upstream said to a proxy */
    bool inside;     /* of `error`, whose members count more than those beside it */
    bool listed;     /* the message is JSON itself, not a string that may hold some */
};

/* Reads a value as text: a string without its quotes, anything else as it is spelt. Absent
 * for null and for an empty string. */
static struct span read_text(struct reading *r)
{
    struct span raw = {0};
    enum scan_type type = scan_next(&r->scan);
    if (!scan_value(&r->scan, &raw) || type == SCAN_NULL || raw.n == 0)
        return (struct span){0};
    if (type != SCAN_STRING)
        return raw;
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    json_unquote(&text, raw);
    struct span plain =
        text.n == 0 ? (struct span){0} : arena_span(r->arena, buf_view(&text));
    buf_clear(&text);
    return plain;
}

static void put(const struct reading *r, struct span *field, struct span text)
{
    if (text.p != NULL && (r->inside || field->p == NULL))
        *field = text;
}

/* Takes a code that is a status of HTTP's, be it a number or a string. */
static bool put_status(const struct reading *r, struct span text)
{
    int status = 0;
    for (size_t i = 0; i < text.n && text.n == 3; i++)
        status = text.p[i] >= '0' && text.p[i] <= '9' ? status * 10 + (text.p[i] - '0')
                                                      : STATUS_LAST + 1;
    if (status < STATUS_FIRST || status > STATUS_LAST)
        return false;
    if (r->inside || r->complaint->status == 0)
        r->complaint->status = status;
    return true;
}

static void read_fields(struct reading *r);

/* Reads what `error` holds: an object, a list of them, or the words alone. */
static void read_error(struct reading *r)
{
    struct complaint *c = r->complaint;
    bool listed = scan_next(&r->scan) == SCAN_ARRAY && scan_array(&r->scan);
    if (listed && !scan_item(&r->scan))
        return;
    r->inside = true;
    enum scan_type type = scan_next(&r->scan);
    if (type == SCAN_OBJECT) {
        c->found = true;
        read_fields(r);
    } else {
        struct span text = read_text(r);
        c->found |= text.p != NULL && type != SCAN_FALSE;
        put(r, &c->message, text);
    }
    r->inside = false;
    while (listed && scan_item(&r->scan)) /* the first one speaks for all */
        scan_value(&r->scan, NULL);
}

/* Takes one member of an object; anything else is skipped. */
static void read_one(struct reading *r, const char *name, struct span *field)
{
    struct span key;
    if (scan_next(&r->scan) != SCAN_OBJECT) {
        scan_value(&r->scan, NULL);
        return;
    }
    scan_object(&r->scan);
    while (scan_key(&r->scan, &key)) {
        struct span text = read_text(r);
        if (key.n == strlen(name) + 2 && memcmp(key.p + 1, name, key.n - 2) == 0)
            put(r, field, text);
    }
}

/* Takes over the errors of single choices. */
static void read_choices(struct reading *r)
{
    struct span key;
    if (scan_next(&r->scan) != SCAN_ARRAY) {
        scan_value(&r->scan, NULL);
        return;
    }
    scan_array(&r->scan);
    while (scan_item(&r->scan)) {
        if (scan_next(&r->scan) != SCAN_OBJECT) {
            scan_value(&r->scan, NULL);
            continue;
        }
        scan_object(&r->scan);
        while (scan_key(&r->scan, &key))
            if (span_is(key, "\"error\"") && !r->complaint->found)
                read_error(r);
            else
                scan_value(&r->scan, NULL);
    }
}

#define IS(name) span_equal(key, SPAN_LITERAL("\"" name "\""))

static void read_field(struct reading *r, struct span key)
{
    struct complaint *c = r->complaint;
    struct span text;
    if (!r->inside && (IS("error") || IS("errors"))) {
        read_error(r);
    } else if (!r->inside && IS("choices")) {
        read_choices(r);
    } else if (IS("details")) {
        read_one(r, "error_code", &c->detail);
    } else if (IS("innererror")) {
        read_one(r, "code", &c->detail);
    } else if (IS("metadata")) {
        read_one(r, "raw", &r->raw);
    } else if ((text = read_text(r)).p == NULL) {
        return;
    } else if (IS("message") || IS("msg") || IS("detail")) {
        put(r, &c->message, text);
        r->listed = IS("detail") && text.p[0] == '[';
    } else if (IS("code") || IS("status_code") || IS("http_status_code")) {
        if (!put_status(r, text))
            put(r, &c->code, text);
    } else if (IS("status") || IS("raw_status_code")) {
        if (!put_status(r, text))
            put(r, &c->detail, text);
    } else if (IS("type") || IS("error_type")) {
        put(r, &c->type, text);
    } else if (IS("param")) {
        put(r, &c->param, text);
    } else if (IS("object")) {
        c->found |= span_is(text, "error");
    }
}

static void read_fields(struct reading *r)
{
    struct span key;
    scan_object(&r->scan);
    while (scan_key(&r->scan, &key))
        read_field(r, key);
}

/* ---- bodies ---- */

static void read_body(struct span body, struct arena *arena, int nesting,
                      struct complaint *complaint);

/* Takes over what a text says that may be JSON itself. */
static void unfold(struct reading *r, struct span text, int nesting)
{
    struct complaint *c = r->complaint, inner = {0};
    if (text.n == 0 || (text.p[0] != '{' && text.p[0] != '[') || nesting == NESTING_MAX)
        return;
    read_body(text, r->arena, nesting + 1, &inner);
    if (inner.message.p == NULL)
        return;
    c->message = inner.message;
    c->status = c->status == 0 ? inner.status : c->status;
    r->inside = true;
    put(r, &c->code, inner.code);
    put(r, &c->type, inner.type);
    put(r, &c->detail, inner.detail);
    put(r, &c->param, inner.param);
}

static void read_body(struct span body, struct arena *arena, int nesting,
                      struct complaint *complaint)
{
    struct reading r = {.arena = arena, .complaint = complaint};
    scan_init(&r.scan, body);
    enum scan_type type = scan_next(&r.scan);
    bool listed = type == SCAN_ARRAY && scan_array(&r.scan) && scan_item(&r.scan);
    if (listed)
        type = scan_next(&r.scan);
    if (type == SCAN_OBJECT)
        read_fields(&r);
    else if (type == SCAN_STRING)
        put(&r, &complaint->message, read_text(&r));
    if (complaint->message.p == NULL && nesting == 0 && body.n > 0)
        /* a page, words, or a shape nobody knows */
        complaint->message =
            (struct span){body.p, body.n < MESSAGE_MAX ? body.n : MESSAGE_MAX};
    if (!r.listed)
        unfold(&r, complaint->message, nesting);
    if (r.raw.p != NULL) { /* "Provider returned error" says less than the provider did */
        complaint->message = r.raw;
        unfold(&r, r.raw, nesting);
    }
}

void complaint_read(struct span body, struct arena *arena, struct complaint *complaint)
{
    *complaint = (struct complaint){0};
    read_body(body, arena, 0, complaint);
}
