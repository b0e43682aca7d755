/* SPDX-License-Identifier: MIT */
/* What is made of every way to say no that servers are known for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "harvest/teacher.h"
#include "harvest/teacher/complaint.h"

struct row {
    int status;
    const char *headers, *body;
    enum outcome outcome;
    enum reason reason;
    int64_t delay;
    const char *note; /* NULL: absent */
};

static void check(const struct row *row)
{
    const struct codec *codec = codec_find("openai-chat");
    struct ask ask = {.model = span_of("m"), .messages = span_of("[]")};
    struct reply reply = {.status = row->status,
                          .headers = span_of(row->headers),
                          .body = span_of(row->body)};
    struct arena arena = {0};
    struct decoded decoded;
    codec->decode(&reply, &ask, &arena, &decoded);
    const char *note = decoded.note.p == NULL ? NULL : arena_span(&arena, decoded.note).p;
    bool same_note = note == NULL || row->note == NULL ? note == row->note
                                                       : strcmp(note, row->note) == 0;
    if (decoded.outcome != row->outcome || decoded.reason != row->reason ||
        decoded.retry_after_ms != row->delay || !same_note || decoded.n_answers != 0)
        fail_msg("%d %s is %s, %s, after %lld ms, note '%s'", row->status, row->body,
                 outcome_name(decoded.outcome), reason_name(decoded.reason),
                 (long long)decoded.retry_after_ms, note);
    arena_clear(&arena);
}

#define CHECK_ROWS(rows)                                                                 \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows)[0]; i++)                          \
    check(&(rows)[i])

static void test_person_needed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {401, "", "{\"error\":\"Unauthorized\"}", OUTCOME_HOLD, REASON_CREDENTIAL, -1,
         "Unauthorized"},
        {401, "",
         "{\"error\":{\"message\":\"Incorrect API key provided\",\"type\":"
         "\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}",
         OUTCOME_HOLD, REASON_CREDENTIAL, -1, "Incorrect API key provided"},
        {400, "",
         "[{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid "
         "API key.\",\"status\":\"INVALID_ARGUMENT\"}}]",
         OUTCOME_HOLD, REASON_CREDENTIAL, -1,
         "API key not valid. Please pass a valid API key."},
        {403, "", "{\"message\":\"forbidden\"}", OUTCOME_HOLD, REASON_CREDENTIAL, -1,
         "forbidden"},
        {498, "", "{\"message\":\"invalid token\"}", OUTCOME_HOLD, REASON_CREDENTIAL, -1,
         "invalid token"},
        {402, "", "{\"error\":{\"message\":\"Insufficient Balance\"}}", OUTCOME_HOLD,
         REASON_CREDIT, -1, "Insufficient Balance"},
        {429, "retry-after: 5\n",
         "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":"
         "\"insufficient_quota\",\"param\":null,\"code\":\"credit_balance_exhausted\"}}",
         OUTCOME_HOLD, REASON_CREDIT, -1, "You exceeded your current quota"},
        {429, "",
         "{\"error\":{\"message\":\"x\",\"code\":\"organization_spend_limit_exceeded\"}}",
         OUTCOME_HOLD, REASON_CREDIT, -1, "x"},
        {429, "",
         "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":"
         "\"cap\","
         "\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}",
         OUTCOME_HOLD, REASON_CREDIT, -1, "cap"},
        {400, "",
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
         "\"You have reached your specified API usage limits.\"}}",
         OUTCOME_HOLD, REASON_CREDIT, -1,
         "You have reached your specified API usage limits."},
        {404, "", "{\"detail\":\"Not Found\"}", OUTCOME_HOLD, REASON_MODEL, -1,
         "Not Found"},
        {400, "",
         "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}",
         OUTCOME_HOLD, REASON_MODEL, -1, "no such model"},
        {405, "", "", OUTCOME_HOLD, REASON_MODEL, -1, NULL},
        {407, "", "", OUTCOME_HOLD, REASON_CONFIG, -1, NULL},
        {301, "location: https://example.org/v1\n", "<html>moved</html>", OUTCOME_HOLD,
         REASON_REDIRECT, -1, "redirected to https://example.org/v1"},
        {308, "", "elsewhere", OUTCOME_HOLD, REASON_REDIRECT, -1, "elsewhere"},
    };
    CHECK_ROWS(rows);
}

static void test_never(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {400, "",
         "{\"object\":\"error\",\"message\":\"bad top_k\",\"type\":\"BadRequestError\","
         "\"param\":null,\"code\":400}",
         OUTCOME_FAILED, REASON_REQUEST, -1, "bad top_k"},
        {422, "",
         "{\"detail\":[{\"loc\":[\"body\",\"messages\"],\"msg\":\"Field required\"}]}",
         OUTCOME_FAILED, REASON_REQUEST, -1,
         "[{\"loc\":[\"body\",\"messages\"],\"msg\":\"Field required\"}]"},
        {418, "", "", OUTCOME_FAILED, REASON_REQUEST, -1, NULL},
        {501, "", "{\"error\":{\"type\":\"not_supported_error\",\"message\":\"no\"}}",
         OUTCOME_FAILED, REASON_REQUEST, -1, "no"},
        {400, "",
         "{\"error\":{\"message\":\"This model's maximum context length is 8192 "
         "tokens.\","
         "\"code\":\"context_length_exceeded\"}}",
         OUTCOME_FAILED, REASON_TOO_LONG, -1,
         "This model's maximum context length is 8192 tokens."},
        {400, "", "{\"error\":{\"message\":\"too many\",\"param\":\"input_tokens\"}}",
         OUTCOME_FAILED, REASON_TOO_LONG, -1, "too many"},
        {413, "", "<html><head><title>413 Request Entity Too Large</title></head></html>",
         OUTCOME_FAILED, REASON_TOO_LONG, -1, "413 Request Entity Too Large"},
        {429, "retry-after: 51\n",
         "{\"error\":{\"message\":\"Rate limit reached on tokens per minute (TPM): Limit "
         "7,000, Used 0, Requested ~12903. Please try again in 50.597142857s.\",\"code\":"
         "\"rate_limit_exceeded\"}}",
         OUTCOME_FAILED, REASON_TOO_LONG, -1,
         "Rate limit reached on tokens per minute (TPM): Limit 7,000, Used 0, Requested "
         "~12903. Please try again in 50.597142857s."},
        {400, "",
         "{\"error\":{\"message\":\"filtered\",\"type\":null,\"param\":\"prompt\","
         "\"code\":"
         "\"content_filter\",\"status\":400,\"innererror\":{\"code\":"
         "\"ResponsibleAIPolicyViolation\"}}}",
         OUTCOME_FAILED, REASON_FILTERED, -1, "filtered"},
        {403, "",
         "{\"error\":{\"code\":403,\"message\":\"openai/x requires moderation. Your "
         "input "
         "was flagged for \\\"violence\\\".\"}}",
         OUTCOME_FAILED, REASON_FILTERED, -1,
         "openai/x requires moderation. Your input was flagged for \"violence\"."},
    };
    CHECK_ROWS(rows);
}

static void test_wait(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {429, "retry-after: 20\nretry-after: 30\n",
         "{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}",
         OUTCOME_LATER, REASON_RATE, 30000, "slow"},
        {429, "", "", OUTCOME_LATER, REASON_RATE, -1, NULL},
        {429, "",
         "{\"error\":{\"message\":\"Rate limit reached: Limit 10000, Used 9500, "
         "Requested "
         "800. Please try again in 6m0s.\",\"type\":\"tokens\"}}",
         OUTCOME_LATER, REASON_RATE, 360000,
         "Rate limit reached: Limit 10000, Used 9500, Requested 800. Please try again in "
         "6m0s."},
        {429, "", "{\"error\":{\"message\":\"Please retry after 6 seconds.\"}}",
         OUTCOME_LATER, REASON_RATE, 6000, "Please retry after 6 seconds."},
        {429, "",
         "{\"error\":{\"message\":\"{\\n \\\"error\\\": {\\n \\\"code\\\": 429, "
         "\\\"message"
         "\\\": \\\"Resource  exhausted\\\", \\\"status\\\": \\\"RESOURCE_EXHAUSTED\\\", "
         "\\\"details\\\": [{\\\"retryDelay\\\": \\\"36s\\\"}] } }\",\"code\":429,"
         "\"status\":\"Too Many Requests\"}}",
         OUTCOME_LATER, REASON_RATE, 36000, "Resource exhausted"},
        {429, "",
         "{\"object\":\"error\",\"message\":\"Rate limit exceeded\",\"type\":"
         "\"rate_limited\",\"param\":null,\"code\":\"1300\",\"raw_status_code\":429}",
         OUTCOME_LATER, REASON_RATE, -1, "Rate limit exceeded"},
        {503, "",
         "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":"
         "\"unavailable_error\"}}",
         OUTCOME_LATER, REASON_OVERLOAD, -1, "Loading model"},
        {503, "retry-after: 2\n", "{\"error\":\"server busy, please try again.\"}",
         OUTCOME_LATER, REASON_OVERLOAD, 2000, "server busy, please try again."},
        {529, "",
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
         "\"Overloaded\"}}",
         OUTCOME_LATER, REASON_OVERLOAD, -1, "Overloaded"},
        {498, "", "{\"error\":{\"message\":\"flex\",\"code\":\"capacity_exceeded\"}}",
         OUTCOME_LATER, REASON_OVERLOAD, -1, "flex"},
        {429, "", "{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}",
         OUTCOME_LATER, REASON_OVERLOAD, -1, "Model is overloaded"},
    };
    CHECK_ROWS(rows);
}

static void test_again(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {500, "", "boom\n  at line 3\n", OUTCOME_RETRY, REASON_SERVER, -1,
         "boom at line 3"},
        {502, "",
         "<!DOCTYPE html>\n<html><head><TITLE lang=en>\n 502  Bad Gateway\n</TITLE>"
         "<body>nginx",
         OUTCOME_RETRY, REASON_SERVER, -1, "502 Bad Gateway"},
        {524, "", "error code: 524", OUTCOME_RETRY, REASON_SERVER, -1, "error code: 524"},
        {999, "", "", OUTCOME_RETRY, REASON_SERVER, -1, NULL},
        {408, "retry-after-ms: 750\n", "", OUTCOME_RETRY, REASON_SERVER, 750, NULL},
        {409, "", "", OUTCOME_RETRY, REASON_SERVER, -1, NULL},
        {424, "", "", OUTCOME_RETRY, REASON_SERVER, -1, NULL},
        {499, "", "", OUTCOME_RETRY, REASON_SERVER, -1, NULL},
        {504, "", "\xff\xfe gateway", OUTCOME_RETRY, REASON_SERVER, -1,
         "\xef\xbf\xbd\xef\xbf\xbd gateway"},
        {400, "",
         "{\"error\":{\"message\":\"Out of range float values are not JSON compliant: "
         "nan\",\"type\":\"BadRequestError\",\"code\":400}}",
         OUTCOME_RETRY, REASON_SERVER, -1,
         "Out of range float values are not JSON compliant: nan"},
        {500, "", "{\"weird\":true}", OUTCOME_RETRY, REASON_SERVER, -1,
         "{\"weird\":true}"},
        {500, "", "{\"error\":{\"message\":\"cut of", OUTCOME_RETRY, REASON_SERVER, -1,
         "{\"error\":{\"message\":\"cut of"},
    };
    CHECK_ROWS(rows);
}

static void test_should_retry(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {500, "x-should-retry: false\n", "", OUTCOME_FAILED, REASON_SERVER, -1, NULL},
        {429, "x-should-retry: false\nretry-after: 3\n", "", OUTCOME_FAILED, REASON_RATE,
         -1, NULL},
        {400, "x-should-retry: true\nretry-after: 3\n", "", OUTCOME_RETRY, REASON_REQUEST,
         3000, NULL},
        {401, "x-should-retry: true\n", "", OUTCOME_HOLD, REASON_CREDENTIAL, -1, NULL},
        {429, "x-should-retry: true\n", "", OUTCOME_LATER, REASON_RATE, -1, NULL},
    };
    CHECK_ROWS(rows);
}

/* Errors inside of a success are what their own code says. */
static void test_inside_success(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {200, "",
         "{\"error\":{\"code\":502,\"message\":\"Provider returned error\",\"metadata\":{"
         "\"provider_name\":\"X\",\"raw\":\"{\\\"error\\\":{\\\"message\\\":\\\"upstream "
         "down\\\"}}\"}},\"user_id\":\"u\"}",
         OUTCOME_RETRY, REASON_SERVER, -1, "upstream down"},
        {200, "retry-after: 9\n", "{\"error\":{\"code\":429,\"message\":\"slow\"}}",
         OUTCOME_LATER, REASON_RATE, 9000, "slow"},
        {200, "", "{\"error\":{\"code\":402,\"message\":\"pay\"}}", OUTCOME_HOLD,
         REASON_CREDIT, -1, "pay"},
        {200, "", "{\"error\":\"it broke\",\"choices\":[]}", OUTCOME_RETRY, REASON_SERVER,
         -1, "it broke"},
        {200, "",
         "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"half\"},\"finish_"
         "reason\":"
         "\"stop\",\"error\":{\"code\":500,\"message\":\"x\"}}],\"error\":{\"message\":"
         "\"died\",\"code\":\"500\"}}",
         OUTCOME_RETRY, REASON_SERVER, -1, "died"},
        {200, "",
         "{\"choices\":[{\"message\":{\"content\":\"half\"},\"finish_reason\":\"stop\","
         "\"error\":{\"code\":500,\"message\":\"x\"}}]}",
         OUTCOME_RETRY, REASON_SERVER, -1, "x"},
        {200, "", "[{\"error\":{\"code\":429,\"message\":\"many\"}}]", OUTCOME_LATER,
         REASON_RATE, -1, "many"},
        {200, "", "{\"object\":\"error\",\"message\":\"flat\",\"code\":400}",
         OUTCOME_FAILED, REASON_REQUEST, -1, "flat"},
        {201, "", "{\"error\":{\"code\":301,\"message\":\"odd\"}}", OUTCOME_RETRY,
         REASON_SERVER, -1, "odd"},
    };
    CHECK_ROWS(rows);
}

/* ---- notes ---- */

static void test_notes(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_null(note_line((struct span){0}, &arena).p);
    assert_null(note_line(span_of(" \n\t"), &arena).p);
    assert_string_equal(note_line(span_of(" a \r\n\x01\x7f b\xc2\x85 c "), &arena).p,
                        "a b c");
    assert_string_equal(note_line(span_of("<p>no title"), &arena).p, "<p>no title");
    assert_string_equal(note_line(span_of("<title>only a beginning"), &arena).p,
                        "only a beginning");
    assert_string_equal(note_line(span_of("<title"), &arena).p, "<title");
    for (size_t lead = 0; lead < 5; lead++) { /* cut between characters, never inside */
        struct buf text;
        buf_init(&text, 4000);
        buf_add(&text, "xxxx", lead);
        for (int i = 0; i < 600; i++)
            utf8_add(&text, i % 7 == 6 ? ' ' : 0x20ac);
        struct span note = note_line(buf_view(&text), &arena);
        assert_in_range(note.n, NOTE_MAX - 3, NOTE_MAX);
        assert_int_equal(utf8_valid_prefix(note), note.n);
        assert_memory_equal(note.p, text.p, note.n);
        buf_clear(&text);
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_person_needed), cmocka_unit_test(test_never),
        cmocka_unit_test(test_wait),          cmocka_unit_test(test_again),
        cmocka_unit_test(test_should_retry),  cmocka_unit_test(test_inside_success),
        cmocka_unit_test(test_notes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
