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

/* Goes on at p with what scan_plain stops at. Returns NULL after an error. */
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
    const char *p = scan_plain(start + 1, scan->end);
    while (p == scan->end || *p != '"') {
        p = skip_special(scan, p);
        if (p == NULL)
            return false;
        p = scan_plain(p, scan->end);
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

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The top bit of each byte that is zero. */
static inline uint64_t zero_bytes(uint64_t w)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    return ~(((w & low) + low) | w | low);
}

/* A list of whole numbers, eight bytes at a time. Each byte is looked at as a digit, a comma
 * or something else; a number begins behind the bracket and behind every comma, must begin
 * with a digit, and may begin with 0 only if that is all of it. All masks have the top bit
 * of a byte. Returns the closing bracket, or NULL for anything else. */
static const char *numbers_end(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t after_comma = 0x80, after_zero = 0; /* of the byte before */
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t digit = w ^ '0' * ones; /* 0 .. 9; adding 0x76 keeps it below 0x80 */
        uint64_t no_digit = (digit | (digit + 0x76 * ones)) & tops;
        uint64_t comma = zero_bytes(w ^ ',' * ones);
        uint64_t other = no_digit & ~comma; /* right up to its first one */
        uint64_t begins = comma << 8 | after_comma;
        uint64_t zeros = begins & zero_bytes(digit);
        uint64_t wrong = (begins & no_digit) | ((zeros << 8 | after_zero) & ~no_digit);
        if (other != 0) {
            unsigned at = (unsigned)__builtin_ctzll(other);
            bool right = (wrong << (63 - at)) == 0; /* up to and with the other byte */
            return right && p[at >> 3] == ']' ? p + (at >> 3) : NULL;
        }
        if ((wrong & tops) != 0)
            return NULL;
        after_comma = comma >> 56;
        after_zero = zeros >> 56;
    }
    return NULL;
}
#else
static const char *numbers_end(const char *p, const char *end)
{
    (void)p, (void)end;
    return NULL;
}
#endif

const char *scan_numbers(const char *p, const char *end)
{
    if (end - p < 2 || *p != '[')
        return NULL;
    if (p[1] == ']')
        return p + 2;
    p = numbers_end(p + 1, end);
    return p == NULL ? NULL : p + 1;
}

/* Moves over a list of whole numbers. */
static bool skip_numbers(struct scan *scan)
{
    if (scan->depth + 2 > SCAN_DEPTH)
        return false;
    const char *p = scan_numbers(scan->at, scan->end);
    if (p == NULL)
        return false;
    scan->at = p;
    scan->fresh = false;
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
