/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harvest/progress.h"

static void counts_are_grouped_by_three(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {{0, "0"},        {999, "999"},        {1000, "1,000"},
                 {7412, "7,412"}, {123456, "123,456"}, {10000000, "10,000,000"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 64);
        progress_add_count(&out, cases[i].n);
        assert_string_equal(out.p, cases[i].text);
        buf_clear(&out);
    }
}

static void durations_round_up_to_seconds(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0:00"},      {1, "0:01"},          {17001, "0:18"},
                 {151000, "2:31"}, {3600000, "1:00:00"}, {3723000, "1:02:03"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 64);
        progress_add_duration(&out, cases[i].ms);
        assert_string_equal(out.p, cases[i].text);
        buf_clear(&out);
    }
}

static struct job *one_job(void)
{
    struct job *job = crawl_job_new();
    job->todo.request = 1;
    return job;
}

static void the_line_says_what_it_waits_for(void **state)
{
    (void)state;
    const struct crawl_conf conf = {
        .pacer = {.concurrency = 2}, .attempts = 3, .max_wait_ms = 60000};
    struct crawl *crawl = crawl_new(&conf);
    struct progress progress = {.started_ms = 1000, .total = 4};
    struct buf line;
    buf_init(&line, 1024);
    crawl_add(crawl, one_job());
    crawl_add(crawl, one_job());
    struct job *first = crawl_start(crawl, 1000), *second = crawl_start(crawl, 1000);
    progress_tick(&progress, crawl_count(crawl), 1000);
    crawl_landed(crawl, first);
    crawl_judge(crawl, first, OUTCOME_ANSWERED, REASON_NONE, -1, 2000);
    progress_tick(&progress, crawl_count(crawl), 2000);
    crawl_landed(crawl, second);
    crawl_judge(crawl, second, OUTCOME_LATER, REASON_RATE, 18000, 2000);
    progress_line(&progress, crawl, 2000, &line);
    assert_string_equal(line.p, " 25 %  1 of 4  1.0/s  in flight 0  waiting 0:18 (rate)"
                                "  left 0:03");
    crawl_job_free(crawl_done(crawl));
    crawl_free(crawl);
    buf_clear(&line);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_grouped_by_three),
        cmocka_unit_test(durations_round_up_to_seconds),
        cmocka_unit_test(the_line_says_what_it_waits_for),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
