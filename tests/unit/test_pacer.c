/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "harvest/pacer.h"

#include <stdlib.h>

static void slots_bound_what_is_out(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, &(struct pacer_conf){.concurrency = 2});
    pacer_start(&pacer, 10);
    pacer_start(&pacer, 10);
    assert_true(pacer_wait(&pacer, 1000000) == PACER_REPLY);
    pacer_end(&pacer);
    assert_int_equal(pacer_wait(&pacer, 10), 0);
}

static void a_pause_holds_everything_and_is_never_shortened(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, &(struct pacer_conf){.concurrency = 8});
    pacer_pause(&pacer, 5000);
    pacer_pause(&pacer, 3000);
    assert_int_equal(pacer_wait(&pacer, 1000), 4000);
    assert_int_equal(pacer_wait(&pacer, 4999), 1);
    assert_int_equal(pacer_wait(&pacer, 5000), 0);
}

/* Starts whenever allowed, waking as late as the timer may be; returns how many started in
 * the fullest window of a minute. */
static int64_t fullest_minute(int64_t rpm, uint64_t late_ms, uint64_t total_ms,
                              uint64_t *started)
{
    struct pacer pacer;
    pacer_init(&pacer, &(struct pacer_conf){.concurrency = INT64_MAX, .rpm = rpm});
    size_t cap = (size_t)rpm * (total_ms / 60000 + 2), n = 0, from = 0;
    uint64_t *times = mem_array(cap, sizeof *times);
    int64_t most = 0;
    uint64_t now = 7777777;
    uint64_t end = now + total_ms;
    while (now < end) {
        uint64_t wait = pacer_wait(&pacer, now);
        if (wait > 0) {
            now += wait + late_ms;
            continue;
        }
        pacer_start(&pacer, now);
        assert_true(n < cap);
        times[n++] = now;
        while (times[from] + 60000 <= now)
            from++;
        most = (int64_t)(n - from) > most ? (int64_t)(n - from) : most;
    }
    free(times);
    *started = n;
    return most;
}

static void no_minute_sees_more_than_the_limit(void **state)
{
    (void)state;
    static const int64_t limits[] = {1, 2, 3, 7, 60, 61, 600, 3000, 30000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (uint64_t late = 0; late < 3; late++) {
            uint64_t started;
            int64_t most = fullest_minute(limits[i], late, 600000, &started);
            assert_true(most <= limits[i]);
            /* and the limit is used: at least 99.9 % less one */
            assert_true((double)started >= (double)limits[i] * 10 * 0.999 - 1);
        }
    }
}

static void a_rest_earns_no_burst_beyond_the_tolerance(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, &(struct pacer_conf){.concurrency = 1000, .rpm = 60});
    uint64_t now = 3600000; /* an hour of rest */
    assert_int_equal(pacer_wait(&pacer, now), 0);
    pacer_start(&pacer, now);
    assert_true(pacer_wait(&pacer, now) > 900);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_bound_what_is_out),
        cmocka_unit_test(a_pause_holds_everything_and_is_never_shortened),
        cmocka_unit_test(no_minute_sees_more_than_the_limit),
        cmocka_unit_test(a_rest_earns_no_burst_beyond_the_tolerance),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
