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

/* ---- a decimal taken apart
 * ------------------------------------------------------------- */

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

/* ---- printing
 * -------------------------------------------------------------------------- */

/* The nearest float32 or double, as a double. */
static double read_back(uint64_t mantissa, int exponent, bool single)
{
    double value;
    if (!single && nearest_fast(mantissa, exponent, &value))
        return value;
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

/* The same as shortest_slow for most values: scales by an exact power of ten, rounds,
 * reads back. Any two decimals of 6 (float32) or 15 (double) digits read back to
 * different values, so that one of them that does is the shortest once its zeros are
 * gone. */
static bool shortest_fast(double value, bool single, struct decimal *d)
{
    int two;
    if (LDBL_MANT_DIG < 64 || frexp(value, &two) == 0.5 || two < -40 || two > 40)
        return false; /* a power of two, or far from 1 */
    int ten = (int)floor((two - 1) * 0.30102999566398120);
    ten += value >= (ten + 1 < 0 ? 1 / tens[-ten - 1] : tens[ten + 1]);
    int digits = single ? FLT_DIG : DBL_DIG, most = single ? 9 : 17;
    for (; digits <= most; digits++) {
        int up = digits - 1 - ten;
        if (up > EXACT_LONG_TENS || up < -EXACT_LONG_TENS)
            return false;
        long double scaled = up < 0 ? value / tens[-up] : value * tens[up];
        uint64_t whole = (uint64_t)scaled;
        long double rest = scaled - (long double)whole;
        if (rest > 0.49L && rest < 0.51L)
            return false; /* which way to round is in the error of the product */
        whole += rest > 0.5L;
        enum proof proof = reads_back(whole, -up, value, single);
        if (proof == UNPROVEN)
            return false;
        if (proof == YES) {
            *d = (struct decimal){.mantissa = whole, .exponent = -up, .digits = digits};
            return true;
        }
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

static void add_real(struct buf *out, double value, bool single)
{
    assert(isfinite(value));
    if (signbit(value))
        buf_byte(out, '-');
    if (value == 0) {
        buf_text(out, "0.0");
        return;
    }
    struct decimal d = shortest(fabs(value), single);
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, d.mantissa);
    int point = n + d.exponent; /* digits before the decimal point */
    if (point < -3 || point > 16) {
        buf_byte(out, text[0]);
        if (n > 1)
            buf_format(out, ".%s", text + 1);
        buf_format(out, "e%c%02d", point < 1 ? '-' : '+', abs(point - 1));
    } else if (point <= 0) {
        buf_format(out, "0.%.*s%s", -point, "0000", text);
    } else if (point < n) {
        buf_format(out, "%.*s.%s", point, text, text + point);
    } else {
        buf_format(out, "%s%.*s.0", text, point - n, "0000000000000000");
    }
}

void number_add_f32(struct buf *out, float value)
{
    add_real(out, (double)value, true);
}

void number_add_f64(struct buf *out, double value)
{
    add_real(out, value, false);
}

/* ---- reading
 * --------------------------------------------------------------------------- */

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

/* Requires: value is not negative. */
static unsigned style_of(double value, const struct decimal *d)
{
    if (value > FLT_MAX)
        return 0;
    unsigned style = (double)(float)value == value ? NUMBER_F32 : 0;
    if (d->cut || d->digits > 9)
        return style;
    /* Up to FLT_DIG digits a decimal names its float32 alone; there is no shorter one. */
    bool is_short = value == 0 || (d->digits <= FLT_DIG && value >= FLT_MIN);
    if (!is_short && (float)value > 0) {
        struct decimal s = shortest((double)(float)value, true);
        is_short = read_back(s.mantissa, s.exponent, false) == value;
    }
    return style | (is_short ? NUMBER_F32_SHORT : 0);
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
    number->style = style_of(value, &d);
    number->value = negative ? -value : value;
    return p;
}
