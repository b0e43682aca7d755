/* SPDX-License-Identifier: MIT */
/* scan: strict JSON, pulled value by value out of a span, without a tree or an allocation.
 *
 * Replies with log-probabilities are large and looked at once; a tree of them costs thirty
 * times as much as reading them. Accepts what jansson accepts with JSON_DECODE_ANY and
 * JSON_ALLOW_NUL (RFC 8259 in well-formed UTF-8, at most SCAN_DEPTH values inside each
 * other), but no NUL bytes, which jansson overlooks behind a number. Left to the caller is
 * what only matters to one who converts: numbers may be larger than any machine type, \u
 * escapes may be half a surrogate pair (lone_surrogate says that one was seen), keys may
 * hold \u0000 and may be repeated.
 *
 * The caller asks for what it expects, in the order of the text:
 *
 *     if (scan_object(&scan))
 *         while (scan_key(&scan, &key))
 *             scan_value(&scan, &raw);
 *     if (!scan_done(&scan)) … scan.error
 *
 * After the first error everything returns false and nothing moves. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/number.h"

enum { SCAN_DEPTH = 2048 };

struct scan {
    const char *at, *end;
    const char *start;
    unsigned depth;      /* containers that are open */
    bool fresh;          /* the innermost one was just opened */
    bool lone_surrogate; /* an escape that is half a character */
    const char *error;   /* why the text is not what was asked for; NULL: all is well */
    size_t error_at;     /* offset of the byte */
};

enum scan_type {
    SCAN_NONE, /* end of the text, or no beginning of a value */
    SCAN_OBJECT,
    SCAN_ARRAY,
    SCAN_STRING,
    SCAN_NUMBER,
    SCAN_TRUE,
    SCAN_FALSE,
    SCAN_NULL,
};

/* The text must outlive the scan; spans handed out point into it. */
void scan_init(struct scan *scan, struct span text);

/* What comes next, judged by its first byte. Moves over white space only. */
enum scan_type scan_next(struct scan *scan);

/* Enters an object; scan_key then gives its keys (as literals, quotes and escapes and all),
 * after each of which its value must be read. False: the object has ended and was left, or
 * error. */
bool scan_object(struct scan *scan);
bool scan_key(struct scan *scan, struct span *key);

/* Enters an array; each scan_item that returns true must be followed by reading a value.
 * False: the array has ended and was left, or error. */
bool scan_array(struct scan *scan);
bool scan_item(struct scan *scan);

/* Read one value of the type, or fail. A string is given as its literal with the quotes. */
bool scan_string(struct scan *scan, struct span *literal);
bool scan_number(struct scan *scan, struct number *number);

/* Reads a null if one comes next; otherwise does nothing and returns false. */
bool scan_null(struct scan *scan);

/* Reads any value, however deep, and gives its text. raw may be NULL. */
bool scan_value(struct scan *scan, struct span *raw);

/* True when there was no error and only white space is left. */
bool scan_done(struct scan *scan);

/* Records an error at the current place unless there is one; always false. */
bool scan_fail(struct scan *scan, const char *why);

/* Moves over the text if that is exactly what comes next. A shortcut for callers who know
 * how a server spells its members: `"token":` where a first key may come, `,"token":` where
 * another may, stand for scan_key. False says nothing: ask scan_key.
 * Requires: a text that opens and closes nothing and is allowed by the grammar here. */
static inline bool scan_skip(struct scan *scan, const char *text, size_t n)
{
    if ((size_t)(scan->end - scan->at) < n || memcmp(scan->at, text, n) != 0)
        return false;
    scan->at += n;
    scan->fresh = false;
    return true;
}

/* The first byte from p on that is not a plain character of a string: a quote, a backslash,
 * a control byte or one beyond ASCII; or the end. */
static inline const char *scan_plain(const char *p, const char *end)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (; end - p >= 8; p += 8) {
        /* The lowest byte whose top bit comes out set is the first one looked for; what a
         * borrow makes of the bytes above it does not matter. */
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t found = (w | (w - ' ' * ones) | ((w ^ '"' * ones) - ones) |
                          ((w ^ '\\' * ones) - ones)) &
                         tops;
        if (found != 0)
            return p + (__builtin_ctzll(found) >> 3);
    }
#endif
    while (p < end && (unsigned char)*p >= ' ' && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

/* The byte after the array at p if that is one of whole numbers without white space, as the
 * bytes and ids of tokens are spelt; NULL: it is not, or it stands at the very end. */
const char *scan_numbers(const char *p, const char *end);
