/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

/* ---- strings --------------------------------------------------------------------- */

size_t json_plain_prefix(struct span text)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t i = 0;
    for (; text.n - i >= 8; i += 8) {
        /* A byte of w - n * ones has its top bit set (and had none before) when it was
         * below n; x - ones finds the zero bytes of an exclusive or, which are equal
         * ones. */
        uint64_t w;
        memcpy(&w, text.p + i, 8);
        uint64_t quote = w ^ '"' * ones, slash = w ^ '\\' * ones;
        uint64_t found = ((w - 0x20 * ones) & ~w) | ((quote - ones) & ~quote) |
                         ((slash - ones) & ~slash);
        if ((found & tops) != 0)
            break;
    }
    while (i < text.n && (unsigned char)text.p[i] >= 0x20 && text.p[i] != '"' &&
           text.p[i] != '\\')
        i++;
    return i;
}

static void add_escape(struct buf *out, unsigned char c)
{
    static const char short_ones[] = "btnvfr"; /* 8 .. 13; \v is not JSON's */
    if (c == '"' || c == '\\')
        buf_format(out, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_format(out, "\\%c", short_ones[c - 8]);
    else
        buf_format(out, "\\u%04X", c);
}

void json_add_string(struct buf *out, struct span text)
{
    buf_byte(out, '"');
    while (text.n > 0) {
        size_t n = json_plain_prefix(text);
        buf_add(out, text.p, n);
        if (n < text.n)
            add_escape(out, (unsigned char)text.p[n++]);
        text.p += n;
        text.n -= n;
    }
    buf_byte(out, '"');
}

/* Value of the four hexadecimal digits after \u at the start of the text, or -1. */
static long read_unit(struct span text)
{
    if (text.n < 6 || text.p[0] != '\\' || text.p[1] != 'u')
        return -1;
    long unit = 0;
    for (size_t i = 2; i < 6; i++) {
        char c = text.p[i];
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Appends what a \u escape (or a pair of them) stands for; returns its length or 0. */
static size_t unquote_unit(struct buf *out, struct span text)
{
    long unit = read_unit(text);
    if (unit < 0)
        return 0;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        long low = read_unit((struct span){text.p + 6, text.n - 6});
        if (low >= 0xdc00 && low <= 0xdfff) {
            utf8_add(out, (uint32_t)(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)));
            return 12;
        }
    }
    utf8_add(out, unit >= 0xd800 && unit <= 0xdfff ? 0xfffd : (uint32_t)unit);
    return 6;
}

static size_t unquote_escape(struct buf *out, struct span text)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (text.n < 2)
        return 0;
    if (text.p[1] == 'u')
        return unquote_unit(out, text);
    const char *at = memchr(from, text.p[1], sizeof from - 1);
    if (at == NULL)
        return 0;
    buf_byte(out, to[at - from]);
    return 2;
}

bool json_unquote(struct buf *out, struct span literal)
{
    if (literal.n < 2 || literal.p[0] != '"' || literal.p[literal.n - 1] != '"')
        return false;
    struct span text = {literal.p + 1, literal.n - 2};
    while (text.n > 0) {
        size_t n = json_plain_prefix(text);
        if (utf8_valid_prefix((struct span){text.p, n}) != n)
            return false;
        buf_add(out, text.p, n);
        if (n == 0 && (text.p[0] != '\\' || (n = unquote_escape(out, text)) == 0))
            return false;
        text.p += n;
        text.n -= n;
    }
    return true;
}

/* ---- documents ------------------------------------------------------------------- */

struct json_t *json_parse(struct span text, struct err *err)
{
    json_error_t error;
    json_t *value = json_loadb(text.p == NULL ? "" : text.p, text.n,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL) {
        err_set(err, ERR_USAGE, "not valid JSON");
        err_why(err, "byte %d: %s", error.position, error.text);
    }
    return value;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object(struct buf *out, const json_t *object)
{
    size_t n = 0;
    const char **keys = mem_array(json_object_size(object), sizeof *keys);
    /* jansson's iterator takes a pointer that is not const and changes nothing. */
    json_t *source = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(source); i != NULL;
         i = json_object_iter_next(source, i))
        keys[n++] = json_object_iter_key(i);
    qsort(keys, n, sizeof *keys, compare_keys);
    buf_byte(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_byte(out, ',');
        json_add_string(out, span_of(keys[i]));
        buf_byte(out, ':');
        json_add_canonical(out, json_object_get(object, keys[i]));
    }
    buf_byte(out, '}');
    free(keys);
}

static void add_array(struct buf *out, const json_t *array)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_byte(out, ',');
        json_add_canonical(out, json_array_get(array, i));
    }
    buf_byte(out, ']');
}

void json_add_canonical(struct buf *out, const struct json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(out, value);
        break;
    case JSON_ARRAY:
        add_array(out, value);
        break;
    case JSON_STRING:
        json_add_string(
            out, (struct span){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        buf_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        number_add_f64(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_text(out, "true");
        break;
    case JSON_FALSE:
        buf_text(out, "false");
        break;
    case JSON_NULL:
        buf_text(out, "null");
        break;
    }
}

/* Takes the reference and dumps into the arena. */
static struct span finish(json_t *value, struct arena *arena)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    json_add_canonical(&text, value);
    json_decref(value);
    struct span kept = arena_span(arena, buf_view(&text));
    buf_clear(&text);
    return kept;
}

int json_canonical(struct span text, struct arena *arena, struct span *canonical,
                   struct err *err)
{
    json_t *value = json_parse(text, err);
    if (value == NULL)
        return -1;
    *canonical = finish(value, arena);
    return 0;
}

int json_merge(const struct span *objects, size_t count, struct arena *arena,
               struct span *merged, struct err *err)
{
    json_t *all = mem_check(json_object());
    for (size_t i = 0; i < count; i++) {
        if (objects[i].n == 0)
            continue;
        json_t *one = json_parse(objects[i], err);
        if (one == NULL) {
            json_decref(all);
            return -1;
        }
        assert(json_is_object(one));
        if (json_object_update(all, one) != 0)
            mem_check(NULL);
        json_decref(one);
    }
    *merged = finish(all, arena);
    return 0;
}
