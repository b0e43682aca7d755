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
    MOST_TENTHS = 27,
    EXPONENT_MAX = 99999,
};

static const double tens[EXACT_TENS + 1] = {
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

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Takes the digits among the next eight bytes at once; returns how many there were. */
static inline int take_eight(const char *p, struct decimal *d)
{
    static const uint64_t powers[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    const uint64_t pairs = 0x000000ff000000ffu;
    uint64_t w;
    memcpy(&w, p, 8);
    w ^= '0' * ones; /* digits are 0 .. 9 now, and adding 0x76 keeps them below 0x80 */
    uint64_t other = (w | (w + 0x76 * ones)) & tops; /* right up to the first one set */
    int n = other == 0 ? 8 : __builtin_ctzll(other) >> 3;
    if (n == 0)
        return 0;
    w <<= 64 - 8 * n;      /* zeros come in front */
    w = w * 10 + (w >> 8); /* every second byte holds two digits */
    w = ((w & pairs) * (100 + (1000000ull << 32)) +
         (w >> 16 & pairs) * (1 + (10000ull << 32))) >>
        32;
    d->mantissa = d->mantissa * powers[n] + w;
    d->digits += n;
    return n;
}
#else
static inline int take_eight(const char *p, struct decimal *d)
{
    (void)p, (void)d;
    return 0;
}
#endif

/* Takes a run of digits; each one that is cut raises the exponent. */
static inline const char *take_digits(const char *p, const char *end, struct decimal *d)
{
    if (d->mantissa == 0)
        while (p < end && *p == '0')
            p++;
    /* Log-probabilities have 15 to 17 digits: two steps, without asking how far the
     * second one came. */
    if (end - p >= 16 && d->digits <= MANTISSA_DIGITS - 16) {
        int n = take_eight(p, d);
        p += n;
        if (n == 8)
            p += take_eight(p, d);
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
    if (end - p >= 2 && is_digit(p[0]) && !is_digit(p[1])) { /* as most numbers are */
        d->mantissa = (uint64_t)(*p++ - '0');
        d->digits = d->mantissa != 0;
    } else {
        p = take_digits(p, end, d);
    }
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

#ifdef __SIZEOF_INT128__
/* 10^-i as value * 2^-shift, rounded down. */
static const struct {
    uint64_t value;
    int shift;
} tenths[] = {
    {0x8000000000000000u, 63},  {0xccccccccccccccccu, 67},  {0xa3d70a3d70a3d70au, 70},
    {0x83126e978d4fdf3bu, 73},  {0xd1b71758e219652bu, 77},  {0xa7c5ac471b478423u, 80},
    {0x8637bd05af6c69b5u, 83},  {0xd6bf94d5e57a42bcu, 87},  {0xabcc77118461cefcu, 90},
    {0x89705f4136b4a597u, 93},  {0xdbe6fecebdedd5beu, 97},  {0xafebff0bcb24aafeu, 100},
    {0x8cbccc096f5088cbu, 103}, {0xe12e13424bb40e13u, 107}, {0xb424dc35095cd80fu, 110},
    {0x901d7cf73ab0acd9u, 113}, {0xe69594bec44de15bu, 117}, {0xb877aa3236a4b449u, 120},
    {0x9392ee8e921d5d07u, 123}, {0xec1e4a7db69561a5u, 127}, {0xbce5086492111aeau, 130},
    {0x971da05074da7beeu, 133}, {0xf1c90080baf72cb1u, 137}, {0xc16d9a0095928a27u, 140},
    {0x9abe14cd44753b52u, 143}, {0xf79687aed3eec551u, 147}, {0xc612062576589ddau, 150},
    {0x9e74d1b791e07e48u, 153},
};

/* The nearest double to mantissa * 10^-down, unless it is too close to call. A product of 64
 * by 64 bits, of which the true one differs by less than one unit of its upper half, tells
 * how to round to 53 bits except next to the middle between two doubles.
 * Requires: mantissa > 0, down <= MOST_TENTHS. */
static inline bool divide_fast(uint64_t mantissa, int down, double *value)
{
    int zeros = __builtin_clzll(mantissa);
    unsigned __int128 product =
        (unsigned __int128)(mantissa << zeros) * tenths[down].value;
    int more = (product >> 127) == 0; /* then the product's first bit is the second */
    uint64_t high = (uint64_t)(product >> (64 - more));
    uint64_t rest = high & 0x7ff;
    uint64_t rounded = (high >> 11) + (rest > 0x400);
    int power = 64 + 11 - more - zeros - tenths[down].shift;
    uint64_t bits = (uint64_t)(DBL_MAX_EXP - 1 + power) << (DBL_MANT_DIG - 1);
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    *value = (double)(int64_t)rounded * scale;
    return rest - 0x3fe > 2;
}
#endif

/* The nearest double when that can be had and proven cheaply. */
static inline bool nearest_fast(uint64_t mantissa, int exponent, double *value)
{
#ifdef __SIZEOF_INT128__
    if (exponent <= 0 && exponent >= -MOST_TENTHS && mantissa != 0)
        return divide_fast(mantissa, -exponent, value);
#endif
    int size = exponent < 0 ? -exponent : exponent;
    if (FLT_EVAL_METHOD != 0 || size > EXACT_TENS || mantissa > 1ull << DBL_MANT_DIG)
        return false;
    /* Both operands are exact, so that the one operation rounds once (Clinger, 1990). */
    double m = (double)mantissa;
    *value = exponent < 0 ? m / tens[size] : m * tens[size];
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
    while (ten < -1 ? value * tens[-ten - 1] >= 1 : value >= tens[ten + 1])
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
        double x = up < 0 ? value / tens[-up] : value * tens[up];
        uint64_t whole = (uint64_t)x;
        double rest = x - (double)whole - 0.5;
        bool doubtful = fabs(rest) <= x * 0x1p-51;
        return (struct scaled){whole + (rest > 0 && !doubtful), doubtful};
    }
    long double x = value;
    x = up < 0 ? x / tens[-up] : x * tens[up];
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
__attribute__((noinline)) static double nearest_slow(struct span text)
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
__attribute__((noinline)) static bool is_short(double value, struct decimal d)
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

static inline unsigned style_of(double value, const struct decimal *d)
{
    if (value > FLT_MAX)
        return 0;
    unsigned style = (double)(float)value == value ? NUMBER_F32 : 0;
    /* Most long ones do not end in a zero, which settles it. */
    if (d->digits > FLT_DECIMAL_DIG && d->mantissa % 10 != 0)
        return style;
    return style | (is_short(value, *d) ? NUMBER_F32_SHORT : 0);
}

const char *number_read(struct span text, struct number *number)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    struct decimal d = {0};
    const char *p = take_decimal(text.p + negative, text.p + text.n, &d);
    if (p == NULL)
        return NULL;
    double value;
    if (d.cut || !nearest_fast(d.mantissa, d.exponent, &value))
        value = fabs(nearest_slow((struct span){text.p, (size_t)(p - text.p)}));
    number->value = negative ? -value : value;
    number->style = style_of(value, &d);
    return p;
}

const char *number_end(struct span text)
{
    struct decimal d = {0};
    return take_decimal(text.p + (text.n > 0 && text.p[0] == '-'), text.p + text.n, &d);
}
