/* SPDX-License-Identifier: MIT */
/* The fake teacher judges harvest; these judge its pure parts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"
#include "tests/teacher/http.h"
#include "tests/teacher/speech.h"
#include "tests/teacher/window.h"

/* ---- http ----------------------------------------------------------------------------- */

/* Gives the input in pieces of a size, as a socket would; returns the last result. */
static enum http_result feed(struct http *http, const char *text, size_t piece,
                             struct http_request *request)
{
    size_t n = strlen(text);
    enum http_result result = HTTP_MORE;
    for (size_t at = piece < n ? piece : n;; at = at + piece < n ? at + piece : n) {
        result = http_parse(http, (struct span){text, at}, request);
        if (at == n || result == HTTP_WHOLE || result == HTTP_BAD)
            return result;
    }
}

static void requests_in_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *input, *method, *target, *body;
        bool keep_alive;
    } cases[] = {
        {"GET /a HTTP/1.1\r\n\r\n", "GET", "/a", "", true},
        {"GET /a HTTP/1.0\r\n\r\n", "GET", "/a", "", false},
        {"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", "POST",
         "/", "abc", false},
        {"POST / HTTP/1.1\r\ncontent-length:3\r\nX: \r\n\r\nabc", "POST", "/", "abc",
         true},
        {"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n"
         "0123456789\r\n0\r\n\r\n",
         "POST", "/c", "abc0123456789", true},
        {"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "POST",
         "/", "x", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t piece = 1; piece < 200; piece += piece < 5 ? 1 : 60) {
            struct http http = {0};
            struct http_request request;
            enum http_result result = feed(&http, cases[i].input, piece, &request);
            if (result != HTTP_WHOLE)
                fail_msg("case %zu in pieces of %zu: %d", i, piece, (int)result);
            assert_true(span_is(request.method, cases[i].method));
            assert_true(span_is(request.target, cases[i].target));
            assert_true(span_is(request.body, cases[i].body));
            assert_int_equal(request.keep_alive, cases[i].keep_alive);
            assert_int_equal(request.taken, strlen(cases[i].input));
            http_clear(&http);
        }
}

static void one_after_the_other(void **state)
{
    (void)state;
    const char *input =
        "POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"
        "POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\nc\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n";
    struct http http = {0};
    struct http_request request;
    struct span rest = span_of(input);
    static const char *const bodies[] = {"ab", "c", ""};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(http_parse(&http, rest, &request), HTTP_WHOLE);
        assert_true(span_is(request.body, bodies[i]));
        rest.p += request.taken;
        rest.n -= request.taken;
        http_next(&http);
    }
    assert_true(span_is(http_header(&request, "authorization"), "Bearer x"));
    assert_null(http_header(&request, "expect").p);
    assert_int_equal(rest.n, 0);
    http_clear(&http);
}

static void no_requests(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        int status;
    } cases[] = {
        {"GET\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n\r\n", 400},
        {"GET / HTTP/1.1\n\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length : 1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http http = {0};
        struct http_request request;
        enum http_result result = feed(&http, cases[i].input, 1000, &request);
        if (result != HTTP_BAD || http.status != cases[i].status)
            fail_msg("case %zu: %d, status %d", i, (int)result, http.status);
        http_clear(&http);
    }
}

static void waits_for_a_100(void **state)
{
    (void)state;
    struct span head = SPAN_LITERAL("POST / HTTP/1.1\r\nExpect: 100-continue\r\n"
                                    "Content-Length: 1\r\n\r\n");
    struct http http = {0};
    struct http_request request;
    assert_int_equal(http_parse(&http, head, &request), HTTP_CONTINUE);
    assert_int_equal(http_parse(&http, head, &request), HTTP_MORE);
    http_clear(&http);
}

/* ---- window --------------------------------------------------------------------------- */

static void windows_slide(void **state)
{
    (void)state;
    struct window window = {.bin_us = 10000};
    uint64_t now = 123456789;
    assert_int_equal(window_total(&window, now), 0);
    assert_int_equal(window_relief(&window, now), 0);
    for (int i = 0; i < 5; i++)
        window_add(&window, now);
    window_add(&window, now + 500000);
    assert_int_equal(window_total(&window, now + 900000), 6);
    uint64_t relief = window_relief(&window, now + 900000);
    assert_true(relief > 90000 && relief <= 110000);
    assert_int_equal(window_total(&window, now + 900000 + relief), 1);
    assert_int_equal(window_total(&window, now + 10000000), 0);
    assert_int_equal(window.most, 6);
}

/* ---- speech --------------------------------------------------------------------------- */

static json_t *speak(const struct speech *speech, const char *text, uint64_t number)
{
    struct arena arena = {0};
    struct question question;
    struct buf body;
    const char *wrong;
    buf_init(&body, 1 << 20);
    if (question_parse(span_of(text), &arena, &question, &wrong) != 0)
        fail_msg("%s", wrong);
    speech_add(speech, &question, number, 0, &body);
    json_t *reply = json_parse(buf_view(&body), NULL);
    assert_non_null(reply);
    buf_clear(&body);
    arena_clear(&arena);
    return reply;
}

static const json_t *first_choice(const json_t *reply, const char *name)
{
    return json_object_get(json_array_get(json_object_get(reply, "choices"), 0), name);
}

static void messages_alone_decide(void **state)
{
    (void)state;
    const struct speech speech = {.model = "m", .size = 300};
    json_t *one =
        speak(&speech, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", 1);
    json_t *same = speak(&speech,
                         "{ \"seed\": 5, \"temperature\": 1.5, \"messages\": "
                         "[{\"content\": \"\\u0061\", \"role\": \"user\"}]}",
                         2);
    json_t *other =
        speak(&speech, "{\"messages\":[{\"role\":\"user\",\"content\":\"b\"}]}", 1);
    assert_true(
        json_equal(json_object_get(one, "choices"), json_object_get(same, "choices")));
    assert_false(
        json_equal(json_object_get(one, "choices"), json_object_get(other, "choices")));
    assert_string_equal(json_string_value(first_choice(one, "finish_reason")), "stop");
    json_decref(one);
    json_decref(same);
    json_decref(other);
}

static void distributions_fit_the_text(void **state)
{
    (void)state;
    static const enum server servers[] = {SERVER_OPENAI, SERVER_LLAMACPP};
    for (size_t s = 0; s < 2; s++) {
        const struct speech speech = {.server = servers[s], .model = "m", .size = 300};
        json_t *reply = speak(&speech,
                              "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
                              "\"logprobs\":true,\"top_logprobs\":4,\"max_tokens\":9}",
                              1);
        const json_t *list = json_object_get(first_choice(reply, "logprobs"), "content");
        struct buf text;
        buf_init(&text, 1 << 20);
        size_t i;
        const json_t *entry;
        assert_int_equal(json_array_size(list), 9);
        json_array_foreach(list, i, entry)
        {
            double logprob = json_real_value(json_object_get(entry, "logprob"));
            assert_true(logprob <= 0 && logprob == (double)(float)logprob);
            assert_int_equal(json_array_size(json_object_get(entry, "top_logprobs")), 4);
            assert_int_equal(json_object_get(entry, "id") != NULL,
                             servers[s] == SERVER_LLAMACPP);
            buf_text(&text, json_string_value(json_object_get(entry, "token")));
        }
        assert_string_equal(text.p, json_string_value(json_object_get(
                                        first_choice(reply, "message"), "content")));
        assert_string_equal(json_string_value(first_choice(reply, "finish_reason")),
                            "length");
        buf_clear(&text);
        json_decref(reply);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_in_pieces),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(no_requests),
        cmocka_unit_test(waits_for_a_100),
        cmocka_unit_test(windows_slide),
        cmocka_unit_test(messages_alone_decide),
        cmocka_unit_test(distributions_fit_the_text),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("fake_teacher", tests, NULL, NULL);
}
