/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harvest/teacher/headers.h"

static void test_find(void **state)
{
    (void)state;
    struct span headers = span_of("date: x\nretry-after-ms: 5\nretry-after:7\n"
                                  "empty:\nlast: \t no newline");
    assert_true(span_is(headers_find(headers, "retry-after"), "7"));
    assert_true(span_is(headers_find(headers, "retry-after-ms"), "5"));
    assert_true(span_is(headers_find(headers, "last"), "no newline"));
    struct span empty = headers_find(headers, "empty");
    assert_non_null(empty.p);
    assert_int_equal(empty.n, 0);
    assert_null(headers_find(headers, "retry").p);
    assert_null(headers_find((struct span){0}, "date").p);
    struct span rest = span_of("a: 1\nb: 2\na: 3\n"), value;
    assert_true(headers_next(&rest, "a", &value));
    assert_true(span_is(value, "1"));
    assert_true(headers_next(&rest, "a", &value));
    assert_true(span_is(value, "3"));
    assert_false(headers_next(&rest, "a", &value));
}

static void test_delays(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"36s", 36000},
        {"3.957525076s", 3958},
        {"172.799999ms", 173},
        {"7.44ms", 8},
        {"6m0s", 360000},
        {"1h2m3s", 3723000},
        {"8.64s", 8640},
        {"0s", 0},
        {"20 seconds", 20000},
        {"1 second.", 1000},
        {"20s. Contact", 20000},
        {"5 minutes", 300000},
        {"250 ms", 250},
        {"500us", 1},
        {"2d", 172800000},
        {"99999999d", DELAY_MAX_MS},
        {"30", -1},
        {"", -1},
        {"soon", -1},
        {"-3s", -1},
        {"3 sheep", -1},
        {"1 month", -1},
        {"s", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (delay_read(span_of(cases[i].text)) != cases[i].ms)
            fail_msg("'%s' gives %lld", cases[i].text,
                     (long long)delay_read(span_of(cases[i].text)));
}

static void test_dates(void **state)
{
    (void)state;
    assert_int_equal(date_read(span_of("Sun, 06 Nov 1994 08:49:37 GMT")), 784111777);
    assert_int_equal(date_read(span_of("Thu, 01 Jan 1970 00:00:00 GMT")), 0);
    assert_int_equal(date_read(span_of("Thu, 29 Feb 2024 23:59:59 GMT")), 1709251199);
    assert_int_equal(date_read(span_of("Sun, 06 nov 1994 08:49:37 GMT")), -1);
    assert_int_equal(date_read(span_of("Sun, 06 anF 1994 08:49:37 GMT")), -1);
    assert_int_equal(date_read(span_of("1994-11-06T08:49:37Z")), -1);
    assert_int_equal(date_read(span_of("")), -1);
    assert_int_equal(
        date_read(span_of("Sun, 06 Nov 1994 08:49:37 GMT and much more than that")), -1);
}

#define DATE "date: Sun, 06 Nov 1994 08:49:37 GMT\n"

static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int64_t ms;
    } cases[] = {
        {"", -1},
        {"retry-after: 25\n", 25000},
        {"retry-after: 0\n", 0},
        {"retry-after: 1.5\n", 1500},
        {"retry-after-ms: 2000\n", 2000},
        {"retry-after-ms: 12.25\n", 13},
        {"retry-after: 3\nretry-after: 60\nretry-after: 5\n", 60000},
        {"retry-after-ms: 1500\nretry-after: 2\n", 2000},
        {"retry-after: -1\n", -1},
        {"retry-after: soon\n", -1},
        {"retry-after:\n", -1},
        {"retry-after: 6m0s\n", 360000},
        {"retry-after: 12ms\n", 12},
        {DATE "retry-after: Sun, 06 Nov 1994 08:50:07 GMT\n", 30000},
        {DATE "retry-after: Sun, 06 Nov 1994 08:40:00 GMT\n", 0},
        {"retry-after: Sun, 06 Nov 1994 08:50:07 GMT\n", -1},
        {"retry-after: 99999999999\n", -1},
        {"retry-after: 500000000\n", DELAY_MAX_MS},
        {"retry-after: 1e300\n", -1},
        {"date: Sat, 01 Jan 2022 00:00:00 GMT\nretry-after: 1640995230\n", 30000},
        {"date: Sat, 01 Jan 2022 00:00:00 GMT\nretry-after: 1640995230500\n", 30500},
        {"date: Sat, 01 Jan 2022 00:00:00 GMT\nretry-after-ms: 1640995230500\n", 30500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (headers_retry_after(span_of(cases[i].headers)) != cases[i].ms)
            fail_msg("%s gives %lld", cases[i].headers,
                     (long long)headers_retry_after(span_of(cases[i].headers)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_retry_after),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
