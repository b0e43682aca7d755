/* SPDX-License-Identifier: MIT */
/* number against the C library: the same double for every text, the same float32 and double
 * out of every shortest decimal, and no shorter one. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/record.h"
#include "tests/unit/captured.h"

enum { MANY = 60000 };

/* xorshift64*: the same numbers in every run. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 2685821657736338717u;
}

static double any_double(uint64_t *state)
{
    for (;;) {
        uint64_t bits = next(state);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return value;
    }
}

static float any_float(uint64_t *state)
{
    for (;;) {
        uint32_t bits = (uint32_t)next(state);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return value;
    }
}

/* What a log-probability is like. */
static float any_logprob(uint64_t *state)
{
    return -(float)(next(state) % 1000000007) / 6e7f;
}

/* ---- reading ---- */

/* The style by its definition: print and compare. */
static unsigned plain_style(double value)
{
    if (fabs(value) > FLT_MAX)
        return 0;
    struct buf text;
    buf_init(&text, 64);
    number_add_f32(&text, (float)value);
    bool is_short = strtod(buf_view(&text).p, NULL) == value;
    buf_clear(&text);
    return ((double)(float)value == value ? NUMBER_F32 : 0) |
           (is_short ? NUMBER_F32_SHORT : 0);
}

/* Significant digits; zeros at the end are none. */
static int significant(const char *text)
{
    int digits = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e' && *text != 'E'; text++) {
        if (*text < '0' || *text > '9' || (digits == 0 && *text == '0'))
            continue;
        digits++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return digits - zeros;
}

static void check_read(const char *text)
{
    struct number number;
    size_t n = strlen(text);
    char *copy = mem_copy(text, n); /* without a byte behind it */
    const char *end = number_read((struct span){copy, n}, &number);
    assert_ptr_equal(end, copy + n);
    assert_ptr_equal(number_end((struct span){copy, n}), copy + n);
    free(copy);
    double expected = strtod(text, NULL);
    if (memcmp(&expected, &number.value, sizeof expected) != 0)
        fail_msg("%s read as %.17g", text, number.value);
    unsigned style = plain_style(expected);
    if (significant(text) > 9)
        style &= ~(unsigned)NUMBER_F32_SHORT;
    if (number.style != style)
        fail_msg("%s has style %u, not %u", text, number.style, style);
}

/* Ends of ranges, ties, long mantissas, and what servers gave. */
static const char *const hard_texts[] = {
    "0",
    "-0",
    "0.0",
    "-0.0",
    "0e5",
    "0.000e-400",
    "1",
    "-1",
    "12.0",
    "100000",
    "0.1",
    "0.30000001",
    "0.10000000149011612",
    "-9999.0",
    "-3.4028234663852886e+38",
    "3.4028235e38",
    "3.4028236e38",
    "1e39",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "1e400",
    "-1e400",
    "5e-324",
    "2e-324",
    "1e-400",
    "2.2250738585072014e-308",
    "2.2250738585072011e-308",
    "1.1754944e-38",
    "1.4e-45",
    "7e-46",
    "9007199254740993",
    "9007199254740992.5",
    "9007199254740991",
    "18014398509481985",
    "0.500000000000000166533453693773481063544750213623046875",
    "0.5000000000000001110223024625156540423631668090820312500001",
    "8.5070592e37",
    "1.1920928955078125e-07",
    "16777216",
    "16777217",
    "16777215.5",
    "-1.544177770614624",
    "-0.5190203189849854",
    "-17.187501907348633",
    "-0.00012345679",
    "0.3333333432674408",
    "123456789012345678",
    "1234567890123456789",
    "12345678901234567890",
    "1234567890123456789012345678901234567890e-30",
    "1E5",
    "1e+05",
    "1e-5",
    "134217730.0",
    "1.0000000",
    "99999999999999999999",
    "1e22",
    "1e23",
    "8.41e21",
    "9.0e-22",
    "0.0000000000000000000000000001e28",
};

static void test_read_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hard_texts / sizeof hard_texts[0]; i++)
        check_read(hard_texts[i]);
}

/* A whole number, one with a fraction or an exponent, of up to sixty digits. */
static void make_long(uint64_t *seed, int kind, char text[120])
{
    unsigned long long r = next(seed), s = next(seed);
    if (kind == 0)
        snprintf(text, 120, "-%llu.%llu", r % 40, s);
    else if (kind == 1)
        snprintf(text, 120, "%llue%d", r >> (s % 60), (int)(s / 64 % 70) - 35);
    else if (kind == 2)
        snprintf(text, 120, "%llu%llu%llu.%llu", 1 + r % 9, r, s, r);
    else
        snprintf(text, 120, "0.%0*llu", 1 + (int)(r % 30), s >> (r % 64));
}

/* What servers print of float32 and double values. */
static void make_printed(uint64_t *seed, int kind, char text[120])
{
    unsigned digits = (unsigned)(next(seed) % 12);
    double value = (double)any_logprob(seed);
    if (kind == 0) {
        snprintf(text, 120, "%.17g", any_double(seed));
    } else if (kind == 1) {
        snprintf(text, 120, "%.*g", 1 + (int)digits % 9, (double)any_float(seed));
    } else if (kind == 2) {
        snprintf(text, 120, "%.17g", value);
    } else if (kind == 3) {
        snprintf(text, 120, "%.*g", 6 + (int)digits % 5, value);
    } else { /* half-way between two float32 */
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        bits = (bits & ~0x1fffffffull) | 0x10000000;
        memcpy(&value, &bits, sizeof value);
        snprintf(text, 120, "%.*g", 7 + (int)digits, value);
    }
}

static void test_read_generated(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < MANY; i++) {
        char text[120];
        if (i % 9 < 4)
            make_long(&seed, i % 9, text);
        else
            make_printed(&seed, i % 9 - 4, text);
        check_read(text);
    }
}

/* Decimals next to the middle between two doubles, where one bit too few shows. */
static void test_read_middles(void **state)
{
    (void)state;
    uint64_t seed = 1234567;
    for (int i = 0; i < MANY / 4; i++) {
        double value = fabs((double)any_logprob(&seed)) + (i % 2 ? 1e-3 : 1);
        long double middle =
            ((long double)value + (long double)nextafter(value, 100)) / 2;
        char text[80];
        for (int digits = 16; digits <= 19; digits++) {
            snprintf(text, sizeof text, "%.*Lg", digits, middle);
            check_read(text);
        }
        snprintf(text, sizeof text, "%.*Lf", 60, middle);
        check_read(text);
    }
}

static void test_read_recorded(void **state)
{
    (void)state;
    struct arena arena = {0};
    size_t n, count = 0;
    char **names = captured_names(&arena, &n);
    for (size_t i = 0; i < n; i++) {
        struct span body = captured_read(&arena, "tests/unit/replies", names[i], ".body");
        for (size_t k = 1; k < body.n; k++) {
            size_t length = 0;
            while (k + length < body.n && strchr("+-.eE0123456789", body.p[k + length]))
                length++;
            if (strchr(":[, ", body.p[k - 1]) == NULL || length == 0 || length > 40)
                continue;
            char text[48];
            snprintf(text, sizeof text, "%.*s", (int)length, body.p + k);
            if (number_end(span_of(text)) != text + length)
                continue; /* inside of a string */
            check_read(text);
            count++;
        }
    }
    arena_clear(&arena);
    assert_true(count > 10000);
}

static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int length; /* of the number at its start; -1: none */
    } cases[] = {
        {"", -1},         {"-", -1},
        {"+1", -1},       {".5", -1},
        {"1.", -1},       {"1.x", -1},
        {"01", -1},       {"-01", -1},
        {"00", -1},       {"0x1", 1},
        {"1e", -1},       {"1e+", -1},
        {"1e-x", -1},     {"a", -1},
        {"nan", -1},      {"inf", -1},
        {"1,2", 1},       {"1]", 1},
        {"-0.5}", 4},     {"1e5,", 3},
        {"12.50e-3 ", 8}, {"7abcdefgh", 1},
        {"0", 1},         {"-0", 2},
        {"0.1.2", 3},     {"1234567890123456789012345678901234567890,", 40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct number number;
        const char *end = number_read(span_of(cases[i].text), &number);
        assert_int_equal(end == NULL ? -1 : end - cases[i].text, cases[i].length);
        end = number_end(span_of(cases[i].text));
        assert_int_equal(end == NULL ? -1 : end - cases[i].text, cases[i].length);
    }
}

/* ---- printing ---- */

/* Fewest digits at which the C library's correctly rounded decimal reads back. */
static int fewest(double value, bool single)
{
    char text[40];
    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (single ? (double)strtof(text, NULL) == value : strtod(text, NULL) == value)
            return digits;
    }
    return 17;
}

static void check_print(double value, bool single)
{
    struct buf text;
    struct number number;
    buf_init(&text, 64);
    if (single)
        number_add_f32(&text, (float)value);
    else
        number_add_f64(&text, value);
    const char *p = buf_view(&text).p;
    double back = single ? (double)strtof(p, NULL) : strtod(p, NULL);
    if (memcmp(&back, &value, sizeof back) != 0)
        fail_msg("%.17g printed as %s", value, p);
    if (strpbrk(p, ".e") == NULL || number_end(buf_view(&text)) != p + text.n)
        fail_msg("%s does not look like a real number", p);
    if (value != 0 && significant(p) > fewest(value, single))
        fail_msg("%s could be shorter", p);
    assert_ptr_equal(number_read(buf_view(&text), &number), p + text.n);
    if (single && (number.style & NUMBER_F32_SHORT) == 0)
        fail_msg("%s is not seen to be the shortest", p);
    buf_clear(&text);
}

static void test_print(void **state)
{
    (void)state;
    uint64_t seed = 987654321;
    for (int i = 0; i < MANY; i++) {
        check_print(any_float(&seed), true);
        check_print(any_logprob(&seed), true);
        check_print(any_logprob(&seed), false);
        check_print((double)(next(&seed) >> 11) / 9e14, false);
        if (i % 8 == 0)
            check_print(any_double(&seed), false);
    }
    for (uint32_t exponent = 0; exponent < 255; exponent++) /* all powers of two */
        for (int step = -1; step <= 1; step++) {
            uint32_t bits = (exponent << 23) + (uint32_t)step;
            float value;
            memcpy(&value, &bits, sizeof value);
            if (isfinite(value))
                check_print(value, true);
        }
    for (int power = -1074; power <= 1023; power++)
        check_print(ldexp(1, power), false);
    for (int power = -30; power <= 30; power++)
        for (int digit = 1; digit < 10; digit++) {
            char text[32];
            snprintf(text, sizeof text, "%de%d", digit, power);
            check_print(strtod(text, NULL), false);
            check_print(strtof(text, NULL), true);
        }
}

static void test_spelling(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *f64;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-12, "-12.0"},
        {0.7, "0.7"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {1e22, "1e+22"},
        {1e100, "1e+100"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {-9999, "-9999.0"},
        {120, "120.0"},
        {0.001, "0.001"},
        {99.5, "99.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text;
        buf_init(&text, 64);
        number_add_f64(&text, cases[i].value);
        assert_string_equal(buf_view(&text).p, cases[i].f64);
        buf_clear(&text);
    }
    struct buf text;
    buf_init(&text, 64);
    number_add_f32(&text, 0.1f);
    buf_byte(&text, ' ');
    number_add_f32(&text, -3.4028235e38f);
    buf_byte(&text, ' ');
    number_add_f32(&text, 16777216.0f);
    buf_byte(&text, ' ');
    number_add_f32(&text, -0.0009114635f);
    assert_string_equal(buf_view(&text).p, "0.1 -3.4028235e+38 16777216.0 -0.0009114635");
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_table),   cmocka_unit_test(test_read_generated),
        cmocka_unit_test(test_read_middles), cmocka_unit_test(test_read_recorded),
        cmocka_unit_test(test_grammar),      cmocka_unit_test(test_print),
        cmocka_unit_test(test_spelling),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
