/* SPDX-License-Identifier: MIT */
#include "base/scan.h"

#include <assert.h>

#include "base/utf8.h"

void scan_init(struct scan *scan, struct span text)
{
    const char *p = text.p == NULL ? "" : text.p;
    *scan = (struct scan){.at = p, .end = p + text.n, .start = p};
}

bool scan_fail(struct scan *scan, const char *why)
{
    if (scan->error == NULL) {
        scan->error = why;
        scan->error_at = (size_t)(scan->at - scan->start);
        scan->at = scan->end; /* nothing is found from here on */
        scan->fresh = false;
    }
    return false;
}

static inline void skip_space(struct scan *scan)
{
    const char *p = scan->at;
    while (p < scan->end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    scan->at = p;
}

/* The next byte after white space, or 0 at the end (a NUL byte is no JSON either). */
static inline char peek(struct scan *scan)
{
    skip_space(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

enum scan_type scan_next(struct scan *scan)
{
    char c = peek(scan);
    if (c == '-' || (unsigned char)(c - '0') <= 9)
        return SCAN_NUMBER;
    switch (c) {
    case '{':
        return SCAN_OBJECT;
    case '[':
        return SCAN_ARRAY;
    case '"':
        return SCAN_STRING;
    case 't':
        return SCAN_TRUE;
    case 'f':
        return SCAN_FALSE;
    case 'n':
        return SCAN_NULL;
    default:
        return SCAN_NONE;
    }
}

bool scan_done(struct scan *scan)
{
    if (scan->error != NULL)
        return false;
    skip_space(scan);
    return scan->at == scan->end || scan_fail(scan, "something follows the document");
}

/* ---- containers ------------------------------------------------------------------ */

static bool enter(struct scan *scan, char bracket, const char *why)
{
    if (peek(scan) != bracket)
        return scan_fail(scan, why);
    if (scan->depth == SCAN_DEPTH)
        return scan_fail(scan, "nested too deeply");
    scan->at++;
    scan->depth++;
    scan->fresh = true;
    return true;
}

static bool leave(struct scan *scan)
{
    assert(scan->depth > 0);
    scan->at++;
    scan->depth--;
    scan->fresh = false;
    return false;
}

/* Moves to the next thing in a container. False: it ended, or error. */
static inline bool advance(struct scan *scan, char bracket, const char *why)
{
    char c = peek(scan);
    if (c == bracket)
        return leave(scan);
    if (!scan->fresh) {
        if (c != ',')
            return scan_fail(scan, why);
        scan->at++;
    }
    if (scan->depth == SCAN_DEPTH)
        return scan_fail(scan, "nested too deeply");
    scan->fresh = false;
    return true;
}

bool scan_object(struct scan *scan)
{
    return enter(scan, '{', "an object was expected");
}

bool scan_array(struct scan *scan)
{
    return enter(scan, '[', "an array was expected");
}

bool scan_item(struct scan *scan)
{
    return advance(scan, ']', "',' or ']' was expected");
}

bool scan_key(struct scan *scan, struct span *key)
{
    if (!advance(scan, '}', "',' or '}' was expected") || !scan_string(scan, key))
        return false;
    if (peek(scan) != ':')
        return scan_fail(scan, "':' was expected");
    scan->at++;
    return true;
}

/* ---- scalars --------------------------------------------------------------------- */

/* Value of four hexadecimal digits at p, or -1. */
static long read_unit(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    long unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i], low = c | 32;
        if (c >= '0' && c <= '9')
            unit = unit << 4 | (c - '0');
        else if (low >= 'a' && low <= 'f')
            unit = unit << 4 | (low - 'a' + 10);
        else
            return -1;
    }
    return unit;
}

static bool is_high(long unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(long unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Returns the first byte after the escape at p (a backslash), or NULL. */
static const char *skip_escape(struct scan *scan, const char *p)
{
    const char *end = scan->end;
    if (end - p < 2)
        return NULL;
    if (p[1] != 'u')
        return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? p + 2 : NULL;
    long unit = read_unit(p + 2, end);
    if (unit < 0)
        return NULL;
    p += 6;
    if (is_high(unit) && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
        is_low(read_unit(p + 2, end)))
        return p + 6;
    scan->lone_surrogate |= is_high(unit) || is_low(unit);
    return p;
}

/* The first byte from p on that is not a plain character of a string: a quote, a backslash,
 * a control byte or one beyond ASCII; or the end. */
static inline const char *skip_plain(const char *p, const char *end)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    while (end - p >= 8) {
        /* The lowest byte whose top bit comes out set is the first one looked for; what a
         * borrow makes of bytes above it does not matter. */
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t found = (w | (w - ' ' * ones) | ((w ^ '"' * ones) - ones) |
                          ((w ^ '\\' * ones) - ones)) &
                         tops;
        if (found != 0)
            return p + (__builtin_ctzll(found) >> 3);
        p += 8;
    }
#endif
    while (p < end && (unsigned char)*p >= ' ' && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

/* Goes on at p with what skip_plain stops at. Returns NULL after an error. */
static const char *skip_special(struct scan *scan, const char *p)
{
    const char *next = NULL;
    if (p == scan->end) {
        scan->at = p;
        scan_fail(scan, "a string does not end");
    } else if (*p == '\\') {
        next = skip_escape(scan, p);
        scan->at = p;
        if (next == NULL)
            scan_fail(scan, "a string has an invalid escape");
    } else if ((unsigned char)*p < ' ') {
        scan->at = p;
        scan_fail(scan, "a string has a control byte");
    } else {
        uint32_t code;
        size_t n = utf8_decode((struct span){p, (size_t)(scan->end - p)}, &code);
        scan->at = p;
        if (n > 0)
            next = p + n;
        else
            scan_fail(scan, "a string is not UTF-8");
    }
    return next;
}

bool scan_string(struct scan *scan, struct span *literal)
{
    if (peek(scan) != '"')
        return scan_fail(scan, "a string was expected");
    const char *start = scan->at;
    const char *p = skip_plain(start + 1, scan->end);
    while (p == scan->end || *p != '"') {
        p = skip_special(scan, p);
        if (p == NULL)
            return false;
        p = skip_plain(p, scan->end);
    }
    scan->at = p + 1;
    *literal = (struct span){start, (size_t)(p + 1 - start)};
    return true;
}

bool scan_number(struct scan *scan, struct number *number)
{
    skip_space(scan);
    struct span rest = {scan->at, (size_t)(scan->end - scan->at)};
    const char *p = number_read(rest, number);
    if (p == NULL)
        return scan_fail(scan, "a number was expected");
    scan->at = p;
    return true;
}

bool scan_null(struct scan *scan)
{
    skip_space(scan);
    return scan_skip(scan, "null", 4);
}

/* ---- any value ------------------------------------------------------------------- */

/* Moves over an array of whole numbers without white space, as bytes and ids of tokens are
 * spelt. False: it is something else, and nothing moved. */
static bool skip_numbers(struct scan *scan)
{
    const char *p = scan->at, *end = scan->end;
    if (end - p < 2 || *p != '[' || scan->depth + 2 > SCAN_DEPTH)
        return false;
    if (p[1] == ']') {
        scan->at += 2;
        return true;
    }
    do {
        const char *first = ++p;
        while (p < end && (unsigned char)(*p - '0') <= 9)
            p++;
        if (p == first || (*first == '0' && p - first > 1))
            return false;
    } while (p < end && *p == ',');
    if (p == end || *p != ']')
        return false;
    scan->at = p + 1;
    return true;
}

static bool skip_word(struct scan *scan, const char *word, size_t n)
{
    return scan_skip(scan, word, n) || scan_fail(scan, "a value was expected");
}

/* Reads a scalar, or enters a container. */
static bool begin_value(struct scan *scan)
{
    struct span literal;
    const char *p;
    switch (scan_next(scan)) {
    case SCAN_OBJECT:
        return scan_object(scan);
    case SCAN_ARRAY:
        return scan_array(scan);
    case SCAN_STRING:
        return scan_string(scan, &literal);
    case SCAN_TRUE:
        return skip_word(scan, "true", 4);
    case SCAN_FALSE:
        return skip_word(scan, "false", 5);
    case SCAN_NULL:
        return skip_word(scan, "null", 4);
    case SCAN_NUMBER:
        p = number_end((struct span){scan->at, (size_t)(scan->end - scan->at)});
        if (p == NULL)
            break;
        scan->at = p;
        return true;
    case SCAN_NONE:
        break;
    }
    return scan_fail(scan, "a value was expected");
}

/* Reads the rest of a value whose first byte was not looked at yet. */
static bool skip_value(struct scan *scan)
{
    const unsigned outer = scan->depth;
    bool is_object[SCAN_DEPTH]; /* of the containers opened here */
    struct span key;
    do {
        unsigned before = scan->depth;
        bool object = scan_next(scan) == SCAN_OBJECT;
        if (!begin_value(scan))
            return false;
        if (scan->depth > before)
            is_object[before - outer] = object;
        while (scan->depth > outer) {
            if (is_object[scan->depth - outer - 1] ? scan_key(scan, &key)
                                                   : scan_item(scan))
                break;
            if (scan->error != NULL)
                return false;
        }
    } while (scan->depth > outer);
    return true;
}

bool scan_value(struct scan *scan, struct span *raw)
{
    skip_space(scan);
    const char *start = scan->at;
    if (!skip_numbers(scan) && !skip_value(scan))
        return false;
    if (raw != NULL)
        *raw = (struct span){start, (size_t)(scan->at - start)};
    return true;
}
