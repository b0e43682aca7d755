/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harvest/flight.h"

static const struct crawl_conf conf = {
    .pacer = {.concurrency = 1}, .attempts = 3, .max_wait_ms = 60000};

static struct route make_route(struct crawl *crawl)
{
    return (struct route){.codec = codec_find("openai-chat"),
                          .crawl = crawl,
                          .model = "m",
                          .params = SPAN_LITERAL("{}")};
}

static struct job *make_job(void)
{
    struct job *job = crawl_job_new();
    job->todo.request = 7;
    job->todo.messages = SPAN_LITERAL("[{\"content\":\"hi\",\"role\":\"user\"}]");
    return job;
}

static void each_end_has_its_outcome(void **state)
{
    (void)state;
    static const struct {
        enum transport_end end;
        bool sent;
        enum outcome outcome;
        enum reason reason;
    } cases[] = {
        {TRANSPORT_UNSENT, false, OUTCOME_UNSENT, REASON_CONNECT},
        {TRANSPORT_CUT, true, OUTCOME_AMBIGUOUS, REASON_CUT},
        {TRANSPORT_TIMEOUT, true, OUTCOME_AMBIGUOUS, REASON_TIMEOUT},
        {TRANSPORT_TOO_LARGE, true, OUTCOME_FAILED, REASON_TOO_LARGE},
        {TRANSPORT_CANCELLED, true, OUTCOME_AMBIGUOUS, REASON_CANCELLED},
        {TRANSPORT_CANCELLED, false, OUTCOME_UNSENT, REASON_CANCELLED},
    };
    struct crawl *crawl = crawl_new(&conf);
    const struct route route = make_route(crawl);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flight *flight;
        struct err err = {0};
        struct buf headers, body;
        struct job *job = make_job();
        buf_init(&headers, 100);
        buf_init(&body, 100);
        struct transport_reply reply = {.end = cases[i].end,
                                        .sent = cases[i].sent,
                                        .message = "why\nand more",
                                        .headers = &headers,
                                        .body = &body};
        assert_int_equal(flight_new(&route, job, &flight, &err), 0);
        flight_land(flight, &reply, 1);
        flight_decode(&route, flight);
        assert_int_equal(flight->outcome, cases[i].outcome);
        assert_int_equal(flight->reason, cases[i].reason);
        assert_true(span_is(flight->decoded.note, "why"));
        flight_free(flight);
        crawl_job_free(job);
    }
    crawl_free(crawl);
}

/* A run that stops while an intent is being committed takes the intent back: there is no
 * reply to decode, and the job is the crawl's again. */
static void a_recalled_flight_has_nothing_to_decode(void **state)
{
    (void)state;
    struct crawl *crawl = crawl_new(&conf);
    const struct route route = make_route(crawl);
    struct flight *flight;
    struct err err = {0};
    struct job *job = make_job();
    assert_int_equal(flight_new(&route, job, &flight, &err), 0);
    flight->recalled = true;
    flight->job = NULL;
    flight_decode(&route, flight);
    assert_int_equal(flight->outcome, OUTCOME_NONE);
    flight_free(flight);
    crawl_job_free(job);
    crawl_free(crawl);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_outcome),
        cmocka_unit_test(a_recalled_flight_has_nothing_to_decode),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
