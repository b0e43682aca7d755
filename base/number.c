/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/record.h"

enum {
    MANTISSA_DIGITS = 19, /* any decimal of so many digits fits 64 bits */
    EXACT_TENS = 22,      /* 10^22 is the last power that 53 bits hold exactly */
    EXACT_LONG_TENS = 27, /* and 10^27 the last that 64 bits do */
    EXPONENT_MAX = 99999,
};

static const long double tens[EXACT_LONG_TENS + 1] = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
    1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
    1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L,
};

static const double short_tens[EXACT_TENS + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* ---- a decimal taken apart ------------------------------------------------------- */

/* mantissa * 10^exponent, unsigned. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    int digits; /* of the mantissa */
    bool cut;   /* the text had digits that the mantissa did not take */
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Eight ASCII digits at once, on little-endian machines. False: not all of them are. */
static inline bool eight_digits(const char *p, uint64_t *value)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t high = 0xf0f0f0f0f0f0f0f0u, pairs = 0x000000ff000000ffu;
    uint64_t w;
    memcpy(&w, p, 8);
    if (((w & high) | ((w + 0x0606060606060606u) & high) >> 4) != 0x3333333333333333u)
        return false;
    w -= 0x3030303030303030u;
    w = w * 10 + (w >> 8); /* every second byte holds two digits now */
    *value = ((w & pairs) * (100 + (1000000ull << 32)) +
              (w >> 16 & pairs) * (1 + (10000ull << 32))) >>
             32;
    return true;
#else
    (void)p, (void)value;
    return false;
#endif
}

/* Takes a run of digits; each one that is cut raises the exponent. */
static inline const char *take_digits(const char *p, const char *end, struct decimal *d)
{
    if (d->mantissa == 0)
        while (p < end && *p == '0')
            p++;
    uint64_t eight;
    while (end - p >= 8 && d->digits <= MANTISSA_DIGITS - 8 && eight_digits(p, &eight)) {
        d->mantissa = d->mantissa * 100000000 + eight;
        d->digits += 8;
        p += 8;
    }
    for (; p < end && is_digit(*p) && d->digits < MANTISSA_DIGITS; p++, d->digits++)
        d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
    for (; p < end && is_digit(*p); p++, d->exponent++)
        d->cut = true;
    return p;
}

static const char *take_exponent(const char *p, const char *end, struct decimal *d)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || !is_digit(*p))
        return NULL;
    int value = 0;
    for (; p < end && is_digit(*p); p++)
        value = value > EXPONENT_MAX ? value : value * 10 + (*p - '0');
    d->exponent += negative ? -value : value;
    return p;
}

/* What follows the sign, by JSON's grammar and no more: no leading zeros, digits on both
 * sides of the point. */
static inline const char *take_decimal(const char *p, const char *end, struct decimal *d)
{
    const char *whole = p;
    p = take_digits(p, end, d);
    if (p == whole || (*whole == '0' && p - whole > 1))
        return NULL;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = take_digits(p, end, d);
        if (p == fraction)
            return NULL;
        d->exponent -= (int)(p - fraction);
    }
    if (p < end && (*p | 32) == 'e')
        p = take_exponent(p + 1, end, d);
    return p;
}

/* The nearest double when that can be proven cheaply. */
static inline bool nearest_fast(uint64_t mantissa, int exponent, double *value)
{
    int size = exponent < 0 ? -exponent : exponent;
    if (FLT_EVAL_METHOD == 0 && size <= EXACT_TENS && mantissa <= 1ull << DBL_MANT_DIG) {
        /* Both operands are exact, so the one operation rounds once (Clinger, 1990). */
        double m = (double)mantissa;
        *value = exponent < 0 ? m / short_tens[size] : m * short_tens[size];
        return true;
    }
    if (LDBL_MANT_DIG < 64 || size > EXACT_LONG_TENS)
        return false;
    /* Exact operands again, so q is the true value rounded to 64 bits or more. Rounding
     * it once more to 53 is right unless q is exactly between two doubles (it may have
     * been rounded to there), which shows in the double on the far side of q being exact.
     */
    long double m = (long double)mantissa;
    long double q = exponent < 0 ? m / tens[size] : m * tens[size];
    double near = (double)q;
    long double far = q + (q - (long double)near);
    if (far != q && (long double)(double)far == far)
        return false;
    *value = near;
    return true;
}

/* ---- printing -------------------------------------------------------------------- */

/* The nearest float32 or double, as a double. */
static double read_back(uint64_t mantissa, int exponent, bool single)
{
    char text[40]; /* no point in it, hence the same in every locale */
    snprintf(text, sizeof text, "%" PRIu64 "e%d", mantissa, exponent);
    return single ? (double)strtof(text, NULL) : strtod(text, NULL);
}

/* The shortest decimal by printing and reading back, from one digit up. */
static struct decimal shortest_slow(double value, bool single)
{
    for (int digits = 1;; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        struct decimal d = {.digits = digits};
        const char *p = text;
        for (; *p != 'e'; p++)
            if (is_digit(*p)) /* not the point, whatever the locale has for it */
                d.mantissa = d.mantissa * 10 + (uint64_t)(*p - '0');
        d.exponent = (int)strtol(p + 1, NULL, 10) - (digits - 1);
        if (read_back(d.mantissa, d.exponent, single) == value)
            return d;
        /* Below a power of two the neighbours are closer than above it: there the nearest
         * decimal can miss where the next one hits. */
        for (int step = -1; step <= 1; step += 2) {
            struct decimal next = d;
            next.mantissa += (uint64_t)(int64_t)step;
            if (read_back(next.mantissa, next.exponent, single) == value)
                return next;
        }
        assert(digits < 17);
    }
}

enum proof { UNPROVEN, NO, YES };

/* Whether the decimal reads back to the float32 or double. */
static enum proof reads_back(uint64_t mantissa, int exponent, double value, bool single)
{
    double back;
    if (!nearest_fast(mantissa, exponent, &back))
        return UNPROVEN;
    if (!single)
        return back == value ? YES : NO;
    /* A double half-way between two float32 may have been rounded to there. */
    uint64_t bits;
    memcpy(&bits, &back, sizeof bits);
    if ((bits & 0x1fffffff) == 0x10000000)
        return UNPROVEN;
    return (double)(float)back == value ? YES : NO;
}

/* The power of ten of the first digit, for 2^-40 < value < 2^40. */
static int magnitude(double value)
{
    int two;
    frexp(value, &two);
    int ten = (two - 1) * 1233 / 4096 - (two < 1); /* log10(2), never too high */
    while (ten < -1 ? value * short_tens[-ten - 1] >= 1 : value >= short_tens[ten + 1])
        ten++;
    return ten;
}

/* value * 10^up, rounded to a whole number; or, doubtful, rounded down because it is too
 * close to the middle for the error of the one operation that is not exact. */
struct scaled {
    uint64_t whole;
    bool doubtful;
};

/* Requires: up within EXACT_TENS. */
static struct scaled scale(double value, int up, bool single)
{
    if (single) {
        double x = up < 0 ? value / short_tens[-up] : value * short_tens[up];
        uint64_t whole = (uint64_t)x;
        double rest = x - (double)whole - 0.5;
        bool doubtful = fabs(rest) <= x * 0x1p-51;
        return (struct scaled){whole + (rest > 0 && !doubtful), doubtful};
    }
    long double x = up < 0 ? value / tens[-up] : value * tens[up];
    uint64_t whole = (uint64_t)x;
    long double rest = x - (long double)whole - 0.5L;
    bool doubtful = fabsl(rest) <= x * 0x1p-62L;
    return (struct scaled){whole + (rest > 0 && !doubtful), doubtful};
}

/* Not far from 1, and its neighbours equally far from it: no power of two. */
static bool is_plain(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value > 0x1p-40 && value < 0x1p40 && (bits & 0xfffffffffffff) != 0;
}

/* The same as shortest_slow for plain values: scales, rounds, reads back. Any two
 * decimals of 6 (float32) or 15 (double) digits read back to different values, so that
 * one of them that does is the shortest once its zeros are gone. */
static bool shortest_fast(double value, bool single, struct decimal *d)
{
    if (LDBL_MANT_DIG < 64 || !is_plain(value))
        return false;
    int up = (single ? FLT_DIG : DBL_DIG) - 1 - magnitude(value);
    int last = up + (single ? FLT_DECIMAL_DIG - FLT_DIG : DBL_DECIMAL_DIG - DBL_DIG);
    for (; up <= last && up <= EXACT_TENS; up++) {
        struct scaled s = scale(value, up, single);
        enum proof proof = reads_back(s.whole, -up, value, single);
        if (s.doubtful && proof == NO &&
            reads_back(s.whole + 1, -up, value, single) == NO)
            continue;
        if (s.doubtful || proof == UNPROVEN)
            return false;
        *d = (struct decimal){.mantissa = s.whole, .exponent = -up};
        if (proof == YES)
            return true;
    }
    return false;
}

/* Requires: value > 0 and finite. */
static struct decimal shortest(double value, bool single)
{
    struct decimal d;
    if (!shortest_fast(value, single, &d))
        d = shortest_slow(value, single);
    for (; d.mantissa % 10 == 0; d.exponent++)
        d.mantissa /= 10;
    return d;
}

/* Writes n digits with zeros in front. */
static char *put_digits(char *p, uint64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + n;
}

static char *put_exponent(char *p, int exponent)
{
    int size = abs(exponent);
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    return put_digits(p, (uint64_t)size, size < 100 ? 2 : 3);
}

static char *put(char *p, const char *text, int n)
{
    memcpy(p, text, (size_t)n);
    return p + n;
}

/* As Python's repr has it: plain from 0.0001 up to 16 digits, else with an exponent. */
static char *put_decimal(char *p, const struct decimal *d)
{
    static const char zeros[] = "0000000000000000";
    char digits[24];
    int n = 1;
    for (uint64_t m = d->mantissa; m >= 10; m /= 10)
        n++;
    put_digits(digits, d->mantissa, n);
    int point = n + d->exponent; /* digits before the point */
    if (point < -3 || point > 16) {
        *p++ = digits[0];
        if (n > 1) {
            *p++ = '.';
            p = put(p, digits + 1, n - 1);
        }
        return put_exponent(p, point - 1);
    }
    if (point <= 0) {
        p = put(p, "0.", 2);
        p = put(p, zeros, -point);
        return put(p, digits, n);
    }
    int before = point < n ? point : n;
    p = put(p, digits, before);
    p = put(p, zeros, point - before);
    *p++ = '.';
    return before < n ? put(p, digits + before, n - before) : put(p, "0", 1);
}

static void add_real(struct buf *out, double value, bool single)
{
    assert(isfinite(value));
    char text[48], *p = text;
    if (signbit(value))
        *p++ = '-';
    if (value == 0) {
        p = put(p, "0.0", 3);
    } else {
        struct decimal d = shortest(fabs(value), single);
        p = put_decimal(p, &d);
    }
    buf_add(out, text, (size_t)(p - text));
}

void number_add_f32(struct buf *out, float value)
{
    add_real(out, (double)value, true);
}

void number_add_f64(struct buf *out, double value)
{
    add_real(out, value, false);
}

/* ---- reading --------------------------------------------------------------------- */

/* Long mantissas and large exponents: the C library, in the C locale. */
static double nearest_slow(struct span text)
{
    locale_t c = mem_check(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    char *copy = mem_new(text.n + 1);
    memcpy(copy, text.p, text.n);
    double value = strtod_l(copy, NULL, c);
    free(copy);
    freelocale(c);
    return value;
}

/* Whether a decimal of 7 to 9 digits, the last not 0, is the shortest of a float32: the
 * nearest of its length, with none of one digit less that reads back too. */
static enum proof is_shortest(double single, const struct decimal *d)
{
    if (!is_plain(single) || d->exponent > 0 || -d->exponent > EXACT_TENS)
        return UNPROVEN;
    struct scaled nearest = scale(single, -d->exponent, true);
    struct scaled shorter = scale(single, -d->exponent - 1, true);
    if (nearest.doubtful || shorter.doubtful)
        return UNPROVEN;
    if (nearest.whole != d->mantissa)
        return NO;
    enum proof proof = reads_back(shorter.whole, d->exponent + 1, single, true);
    return proof == UNPROVEN ? UNPROVEN : proof == YES ? NO : YES;
}

/* Requires: value is not negative. */
static bool is_short(double value, struct decimal d)
{
    for (; d.mantissa % 10 == 0 && d.mantissa != 0; d.digits--, d.exponent++)
        d.mantissa /= 10;
    /* Up to FLT_DIG digits a decimal names its float32 alone; there is no shorter one. */
    if (value == 0 || (d.digits <= FLT_DIG && value >= FLT_MIN))
        return true;
    double single = (double)(float)value;
    if (d.cut || d.digits > FLT_DECIMAL_DIG || single == 0)
        return false;
    enum proof proof = is_shortest(single, &d);
    if (proof != UNPROVEN)
        return proof == YES;
    struct decimal s = shortest(single, true);
    return read_back(s.mantissa, s.exponent, false) == value;
}

const char *number_read(struct span text, struct number *number)
{
    const char *end = text.p + text.n;
    bool negative = text.n > 0 && text.p[0] == '-';
    struct decimal d = {0};
    const char *p = take_decimal(text.p + negative, end, &d);
    if (p == NULL)
        return NULL;
    double value;
    if (d.cut || !nearest_fast(d.mantissa, d.exponent, &value))
        value = fabs(nearest_slow((struct span){text.p, (size_t)(p - text.p)}));
    number->value = negative ? -value : value;
    number->style = 0;
    if (value <= FLT_MAX) {
        number->style |= (double)(float)value == value ? NUMBER_F32 : 0;
        number->style |= is_short(value, d) ? NUMBER_F32_SHORT : 0;
    }
    return p;
}

const char *number_end(struct span text)
{
    struct decimal d = {0};
    return take_decimal(text.p + (text.n > 0 && text.p[0] == '-'), text.p + text.n, &d);
}
