/* SPDX-License-Identifier: MIT */
#include "tests/teacher/question.h"

#include <jansson.h>

#include "base/hash.h"
#include "base/json.h"

/* A whole number within bounds; left alone when the member is absent or null. */
static bool get_whole(const json_t *body, const char *name, int64_t most, int64_t *value)
{
    const json_t *member = json_object_get(body, name);
    if (member == NULL || json_is_null(member))
        return true;
    if (!json_is_integer(member) || json_integer_value(member) < 0 ||
        json_integer_value(member) > most)
        return false;
    *value = json_integer_value(member);
    return true;
}

static const char *read_numbers(const json_t *body, struct question *question)
{
    int64_t newer = 0, top = 0;
    if (!get_whole(body, "max_tokens", INT64_MAX, &question->max_tokens) ||
        !get_whole(body, "max_completion_tokens", INT64_MAX, &newer))
        return "max_tokens is no whole number";
    if (newer != 0)
        question->max_tokens = newer;
    question->n = 1;
    if (!get_whole(body, "n", QUESTION_N_MAX, &question->n) || question->n == 0)
        return "n is out of bounds";
    if (!get_whole(body, "top_logprobs", QUESTION_TOP_MAX, &top))
        return "top_logprobs is out of bounds";
    bool wanted = json_is_true(json_object_get(body, "logprobs"));
    if (top > 0 && !wanted)
        return "top_logprobs is set, but logprobs is not";
    question->top = wanted ? top : -1;
    return NULL;
}

static const char *check_messages(const json_t *messages)
{
    size_t i;
    const json_t *message;
    if (!json_is_array(messages))
        return "messages is missing";
    if (json_array_size(messages) == 0)
        return "messages is empty";
    json_array_foreach(messages, i, message)
    {
        if (!json_is_string(json_object_get(message, "role")))
            return "a message without a role";
        if (json_object_get(message, "content") == NULL)
            return "a message without content";
    }
    return NULL;
}

static void read_identity(const json_t *body, const json_t *messages,
                          struct question *question)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    json_add_canonical(&text, messages);
    question->seed = hash64(text.p, text.n);
    question->size = text.n;
    buf_reset(&text);
    json_add_canonical(&text, body);
    question->hash = hash64(text.p, text.n);
    buf_clear(&text);
}

static const char *read_body(const json_t *body, struct arena *arena,
                             struct question *question)
{
    const json_t *messages = json_object_get(body, "messages");
    const json_t *model = json_object_get(body, "model");
    const char *wrong = check_messages(messages);
    if (wrong == NULL)
        wrong = read_numbers(body, question);
    if (wrong != NULL)
        return wrong;
    if (json_is_true(json_object_get(body, "stream")))
        return "streaming is not spoken here";
    if (json_is_string(model))
        question->model = arena_span(
            arena, (struct span){json_string_value(model), json_string_length(model)});
    question->return_ids = json_is_true(json_object_get(body, "return_token_ids"));
    question->tokens_as_ids =
        json_is_true(json_object_get(body, "return_tokens_as_token_ids"));
    read_identity(body, messages, question);
    return NULL;
}

int question_parse(struct span body, struct arena *arena, struct question *question,
                   const char **wrong)
{
    *question = (struct question){.hash = hash64(body.p, body.n)};
    json_t *parsed = json_parse(body, NULL);
    *wrong = parsed == NULL            ? "the body is no JSON"
             : !json_is_object(parsed) ? "the body is no object"
                                       : read_body(parsed, arena, question);
    json_decref(parsed);
    return *wrong == NULL ? 0 : -1;
}
