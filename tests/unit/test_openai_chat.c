/* SPDX-License-Identifier: MIT */
/* Requests as bytes, and replies no captured server gave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harvest/teacher.h"

static const struct codec *codec(void)
{
    return codec_find("openai-chat");
}

static void test_registry(void **state)
{
    (void)state;
    assert_non_null(codec());
    assert_string_equal(codec()->name, "openai-chat");
    assert_string_equal(codec()->path, "/v1/chat/completions");
    bool listed = false;
    for (const struct codec *const *any = codec_all(); *any != NULL; any++)
        listed |= *any == codec();
    assert_true(listed);
    assert_null(codec_find("openai"));
}

/* ---- encode ---- */

static void test_encode(void **state)
{
    (void)state;
    static const struct {
        const char *system, *messages, *params;
        unsigned dialect;
        const char *body;
    } rows[] = {
        {NULL, "[{\"content\":\"Hi\",\"role\":\"user\"}]", NULL, 0,
         "{\"model\":\"m\\\"1\",\"messages\":[{\"content\":\"Hi\",\"role\":\"user\"}]}"},
        {"Be \"brief\".\n", "[{\"content\":\"Hi\",\"role\":\"user\"}]",
         "{\"max_tokens\":5,\"temperature\":0.7}", 0,
         "{\"model\":\"m\\\"1\",\"messages\":[{\"content\":\"Be "
         "\\\"brief\\\".\\n\",\"role\":"
         "\"system\"},{\"content\":\"Hi\",\"role\":\"user\"}],\"max_tokens\":5,"
         "\"temperature\":0.7}"},
        {"s", "[]", "{}", DIALECT_TOKEN_IDS,
         "{\"model\":\"m\\\"1\",\"messages\":[{\"content\":\"s\",\"role\":\"system\"}]}"},
        {NULL, "[]", "{\"logprobs\":true,\"top_logprobs\":20}", 0,
         "{\"model\":\"m\\\"1\",\"messages\":[],\"logprobs\":true,\"top_logprobs\":20}"},
        {NULL, "[]", "{\"logprobs\":true,\"top_logprobs\":20}", DIALECT_TOKEN_IDS,
         "{\"model\":\"m\\\"1\",\"messages\":[],\"logprobs\":true,\"top_logprobs\":20,"
         "\"return_token_ids\":true,\"return_tokens_as_token_ids\":true}"},
        {NULL, "[]", "{\"logprobs\":false}", DIALECT_TOKEN_IDS,
         "{\"model\":\"m\\\"1\",\"messages\":[],\"logprobs\":false}"},
        {NULL, "[]", "{\"logprobs\":true,\"return_token_ids\":false}", DIALECT_TOKEN_IDS,
         "{\"model\":\"m\\\"1\",\"messages\":[],\"logprobs\":true,\"return_token_ids\":"
         "false}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ask ask = {.model = span_of("m\"1"),
                          .system = span_of(rows[i].system),
                          .messages = span_of(rows[i].messages),
                          .params = span_of(rows[i].params),
                          .dialect = rows[i].dialect};
        struct buf body;
        buf_init(&body, 10000);
        assert_int_equal(codec()->encode(&ask, &body, NULL), 0);
        assert_string_equal(buf_view(&body).p, rows[i].body);
        buf_clear(&body);
    }
}

static void test_encode_reserved(void **state)
{
    (void)state;
    static const char *const names[] = {"model", "messages", "stream", "n"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char params[64], expected[64];
        snprintf(params, sizeof params, "{\"a\":[1],\"%s\":1,\"z\":2}", names[i]);
        snprintf(expected, sizeof expected, "params must not set '%s'", names[i]);
        struct ask ask = {
            .model = span_of("m"), .messages = span_of("[]"), .params = span_of(params)};
        struct buf body;
        struct err err = {0};
        buf_init(&body, 1000);
        assert_int_equal(codec()->encode(&ask, &body, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.what, expected);
        buf_clear(&body);
    }
}

/* ---- decode ---- */

struct fixture {
    struct arena arena;
    struct decoded decoded;
};

static void decode(struct fixture *f, const char *body, const char *headers, bool cut)
{
    *f = (struct fixture){0};
    struct ask ask = {.model = span_of("gpt-4"),
                      .messages = span_of("[]"),
                      .params = span_of("{\"logprobs\":true}")};
    struct reply reply = {.status = 200,
                          .headers = span_of(headers),
                          .body = arena_span(&f->arena, span_of(body)),
                          .cut = cut};
    codec()->decode(&reply, &ask, &f->arena, &f->decoded);
}

#define USAGE "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}"
#define LOGPROBS                                                                         \
    "\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-1,\"bytes\":null,"         \
    "\"top_logprobs\":[]},{\"token\":\"b\",\"logprob\":-1,\"bytes\":null,"               \
    "\"top_logprobs\":[]}]}"
#define CHOICE(message, rest)                                                            \
    "{\"choices\":[{\"index\":0,\"message\":" message "," rest "}]," USAGE "}"
#define STOP "\"finish_reason\":\"stop\""

static void test_flags(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned flags;
        enum finish finish;
    } rows[] = {
        {CHOICE("{\"content\":\"ab\"}", STOP "," LOGPROBS), 0, FINISH_STOP},
        {CHOICE("{\"content\":\"ab\"}", STOP), FLAG_NO_LOGPROBS, FINISH_STOP},
        {CHOICE("{\"content\":\"ab\"}", STOP ",\"logprobs\":null"), FLAG_NO_LOGPROBS,
         FINISH_STOP},
        {CHOICE("{\"content\":\"ab\"}", "\"finish_reason\":\"\"," LOGPROBS),
         FLAG_NO_FINISH, FINISH_NONE},
        {CHOICE("{\"content\":\"ab\"}", "\"finish_reason\":null," LOGPROBS),
         FLAG_NO_FINISH, FINISH_NONE},
        {CHOICE("{\"content\":\"\"}", STOP), FLAG_EMPTY, FINISH_STOP},
        {CHOICE("{\"content\":null}", STOP), FLAG_EMPTY, FINISH_STOP},
        {CHOICE("{}", STOP), FLAG_EMPTY, FINISH_STOP},
        {CHOICE("{\"content\":null,\"refusal\":\"I can't\"}", STOP),
         FLAG_EMPTY | FLAG_REFUSAL, FINISH_STOP},
        {CHOICE("{\"content\":\"\",\"reasoning\":\"2+2=4\"}", STOP),
         FLAG_EMPTY | FLAG_ANSWER_IN_REASONING | FLAG_NO_LOGPROBS, FINISH_STOP},
        {CHOICE("{\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]}",
                "\"finish_reason\":\"tool_calls\""),
         FLAG_NO_LOGPROBS, FINISH_TOOL_CALLS},
        {CHOICE("{\"content\":\"x\",\"tool_calls\":[]}",
                "\"finish_reason\":\"content_filter\"," LOGPROBS),
         0, FINISH_CONTENT_FILTER},
        {CHOICE("{\"content\":\"x\"}", "\"finish_reason\":\"repetition\"," LOGPROBS), 0,
         FINISH_OTHER},
        {CHOICE("{\"content\":\"x\"}", "\"finish_reason\":\"model_length\"," LOGPROBS), 0,
         FINISH_LENGTH},
        {CHOICE("{\"content\":\"\\ud83d\"}", STOP "," LOGPROBS), FLAG_REPAIRED,
         FINISH_STOP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        decode(&f, rows[i].body, "", false);
        assert_int_equal(f.decoded.outcome, OUTCOME_ANSWERED);
        assert_int_equal(f.decoded.n_answers, 1);
        if (f.decoded.answers[0].flags != rows[i].flags ||
            f.decoded.answers[0].finish != rows[i].finish)
            fail_msg("%s: flags %x", rows[i].body, f.decoded.answers[0].flags);
        arena_clear(&f.arena);
    }
}

static void test_model(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *served;
        bool other;
    } rows[] = {
        {"gpt-4", "gpt-4", false},
        {"gpt-4", "gpt-4-0613", false},
        {"gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", false},
        {"claude-sonnet-4", "claude-sonnet-4@20250514", false},
        {"mistral-small-latest", "mistral-small-2409", false},
        {"gpt-4", "gpt-4-turbo", true},
        {"gpt-4", "gpt-4-1", true},
        {"gpt-4", "gpt-45678", true},
        {"gpt-4-0613", "gpt-4-0314", true},
        {"gpt-4", "gpt-3", true},
        {"nope", "smollm2-135m-instruct", true},
        {"gpt-4", "", false},
        {"", "x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[400];
        snprintf(body, sizeof body,
                 "{\"model\":\"%s\",\"choices\":[{\"message\":{\"content\":\"x\"},"
                 "\"finish_reason\":\"stop\"}]}",
                 rows[i].served);
        struct ask ask = {.model = span_of(rows[i].asked), .messages = span_of("[]")};
        struct reply reply = {.status = 200, .body = span_of(body)};
        struct decoded decoded;
        struct arena arena = {0};
        codec()->decode(&reply, &ask, &arena, &decoded);
        assert_int_equal(decoded.outcome, OUTCOME_ANSWERED);
        if (decoded.answers[0].flags != (rows[i].other ? FLAG_MODEL_MISMATCH : 0))
            fail_msg("%s, %s", rows[i].asked, rows[i].served);
        arena_clear(&arena);
    }
}

/* Choices come in any order, without an index or with one twice; members twice. */
static void test_choices(void **state)
{
    (void)state;
    struct fixture f;
    decode(
        &f,
        "\xef\xbb\xbf \n{\"choices\":["
        "{\"index\":2,\"message\":{\"content\":\"c\",\"reasoning\":\"r1\","
        "\"reasoning_content\":\"r2\",\"reasoning_content\":null},\"finish_reason\":"
        "\"stop\"},"
        "{\"index\":0,\"message\":{\"content\":\"a\",\"content\":null,\"refusal\":null},"
        "\"finish_reason\":\"length\"},"
        "{\"index\":2,\"message\":{\"content\":\"twice\"},\"finish_reason\":\"stop\"},"
        "{\"index\":\"1\",\"message\":{\"content\":[{\"type\":\"text\"}]},"
        "\"finish_reason\":\"eos\"}],"
        "\"id\":\"body-id\",\"system_fingerprint\":null,\"error\":null,"
        "\"usage\":{\"prompt_tokens\":12.0,\"completion_tokens\":\"34\","
        "\"prompt_tokens_details\":{\"cached_tokens\":5},\"completion_tokens_details\":{"
        "\"reasoning_tokens\":7},\"queue_time\":0.25}} ",
        "x-request-id: req_1\nrequest-id: req_2\n", false);
    assert_int_equal(f.decoded.outcome, OUTCOME_ANSWERED);
    assert_int_equal(f.decoded.n_answers, 3);
    const struct answer *answers = f.decoded.answers;
    for (int i = 0; i < 3; i++)
        assert_int_equal(answers[i].index, i);
    assert_true(span_is(answers[0].content, "\"a\""));
    assert_null(answers[0].refusal.p);
    assert_int_equal(answers[0].finish, FINISH_LENGTH);
    assert_true(span_is(answers[1].content, "[{\"type\":\"text\"}]"));
    assert_int_equal(answers[1].finish, FINISH_STOP);
    assert_true(span_is(answers[2].content, "\"c\""));
    assert_true(span_is(answers[2].reasoning, "\"r2\""));
    assert_int_equal(f.decoded.usage.prompt, 12);
    assert_int_equal(f.decoded.usage.completion, 34);
    assert_int_equal(f.decoded.usage.cached, 5);
    assert_int_equal(f.decoded.usage.reasoning, 7);
    assert_true(span_is(f.decoded.request_id, "req_1"));
    assert_null(f.decoded.fingerprint.p);
    arena_clear(&f.arena);
    decode(&f,
           "{\"id\":\"body-\\u00e9\",\"choices\":[{\"message\":{\"content\":\"x\"},"
           "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":-1,"
           "\"completion_tokens\":1.5,\"prompt_cache_hit_tokens\":4,\"reasoning_tokens\":"
           "2}}",
           "", false);
    assert_true(span_is(f.decoded.request_id, "body-\xc3\xa9"));
    assert_int_equal(f.decoded.usage.prompt, -1);
    assert_int_equal(f.decoded.usage.completion, -1);
    assert_int_equal(f.decoded.usage.cached, 4);
    assert_int_equal(f.decoded.usage.reasoning, 2);
    arena_clear(&f.arena);
}

static void test_no_answer(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum outcome outcome;
        enum reason reason;
        const char *note;
    } rows[] = {
        {"", OUTCOME_RETRY, REASON_NOT_JSON, "the body is empty"},
        {"\n\n\n\n", OUTCOME_RETRY, REASON_NOT_JSON, "the body is empty"},
        {"<html><title>Sign in</title>", OUTCOME_RETRY, REASON_NOT_JSON, "Sign in"},
        {"OK", OUTCOME_RETRY, REASON_NOT_JSON, "OK"},
        {"data: {\"choices\":[]}\n\n", OUTCOME_RETRY, REASON_NOT_JSON,
         "the reply is an event stream, which was not asked for"},
        {"{\"choices\":[{\"message\":{\"content\":\"x", OUTCOME_RETRY, REASON_NOT_JSON,
         "no JSON: a string does not end at byte 36 of 36"},
        {"{\"choices\":[]}{}", OUTCOME_RETRY, REASON_NOT_JSON,
         "no JSON: something follows the document at byte 14 of 16"},
        {"{\"a\":NaN}", OUTCOME_RETRY, REASON_NOT_JSON,
         "no JSON: a value was expected at byte 5 of 9"},
        {"null", OUTCOME_FAILED, REASON_SHAPE, "the reply is no object"},
        {"[]", OUTCOME_FAILED, REASON_SHAPE, "the reply is no object"},
        {"{\"success\":true}", OUTCOME_FAILED, REASON_SHAPE, "the reply has no choices"},
        {"{\"choices\":[]," USAGE "}", OUTCOME_FAILED, REASON_SHAPE,
         "the reply has no choices"},
        {"{\"choices\":{}}", OUTCOME_FAILED, REASON_SHAPE, "'choices' is no list"},
        {"{\"choices\":[1]}", OUTCOME_FAILED, REASON_SHAPE, "a choice is no object"},
        {CHOICE("null", STOP), OUTCOME_FAILED, REASON_SHAPE, "a choice has no message"},
        {"{\"choices\":[{\"index\":128,\"message\":{}," STOP "}]}", OUTCOME_FAILED,
         REASON_SHAPE, "a choice has an impossible index"},
        {CHOICE("{\"content\":\"\"}", "\"finish_reason\":\"\""), OUTCOME_FAILED,
         REASON_SHAPE, "a choice has no finish reason"},
        {"{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", OUTCOME_FAILED,
         REASON_SHAPE, "a choice has no finish reason"},
        {CHOICE("{\"content\":\"x\"}", "\"finish_reason\":\"abort\""), OUTCOME_RETRY,
         REASON_SERVER, "the server broke off the answer"},
        {"{\"choices\":[{\"index\":0,\"message\":{\"content\":null}," STOP
         "}],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}",
         OUTCOME_RETRY, REASON_SERVER,
         "an empty answer for which no tokens were counted"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int cut = 0; cut <= 1; cut++) {
            struct fixture f;
            decode(&f, rows[i].body, "retry-after: 5\n", cut);
            struct span note = arena_span(&f.arena, f.decoded.note);
            if (f.decoded.outcome != (cut ? OUTCOME_AMBIGUOUS : rows[i].outcome) ||
                f.decoded.reason != (cut ? REASON_CUT : rows[i].reason) ||
                f.decoded.n_answers != 0 || f.decoded.retry_after_ms != -1 ||
                !span_is(note, rows[i].note))
                fail_msg("%s is %s, %s, '%s'", rows[i].body,
                         outcome_name(f.decoded.outcome), reason_name(f.decoded.reason),
                         note.p);
            arena_clear(&f.arena);
        }
}

/* A connection that broke behind the last byte has cost nothing. */
static void test_cut_but_whole(void **state)
{
    (void)state;
    struct fixture f;
    decode(&f, CHOICE("{\"content\":\"ab\"}", STOP "," LOGPROBS), "", true);
    assert_int_equal(f.decoded.outcome, OUTCOME_ANSWERED);
    assert_int_equal(f.decoded.answers[0].flags, 0);
    arena_clear(&f.arena);
    decode(&f, "{\"error\":{\"code\":503,\"message\":\"busy\"}}", "", true);
    assert_int_equal(f.decoded.outcome, OUTCOME_LATER);
    arena_clear(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_reserved), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_model),           cmocka_unit_test(test_choices),
        cmocka_unit_test(test_no_answer),       cmocka_unit_test(test_cut_but_whole),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("openai_chat", tests, NULL, NULL);
}
