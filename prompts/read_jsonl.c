/* SPDX-License-Identifier: MIT */
/* read_jsonl: one JSON object a line.
 *
 * {"id": …, "prompt": "…" or "messages": […], "params": {…}, "metadata": {…}}
 *
 * Rows of the common shapes are taken apart directly (plain_row). All others, and all that
 * are wrong, go through jansson, so that there is one place that judges. */
#include <string.h>

#include <jansson.h>

#include "base/json.h"
#include "base/nearest.h"
#include "prompts/plain_row.h"
#include "prompts/prompts.h"

static const char *const members[] = {"id", "messages", "metadata", "params", "prompt"};

enum { MEMBERS = sizeof members / sizeof members[0] };

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* ---- places in a line ------------------------------------------------------------------ */

/* The byte behind the string literal that begins at byte i of valid JSON. */
static size_t skip_string(struct span line, size_t i)
{
    for (i++; line.p[i] != '"'; i++)
        i += line.p[i] == '\\';
    return i + 1;
}

/* Where the value of a member of the outer object begins. jansson forgets places; this is
 * for errors, in text that it has found valid. */
static size_t find_value(struct span line, const char *name)
{
    size_t depth = 0, n = strlen(name);
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (c != '"')
            continue;
        size_t end = skip_string(line, i);
        const char *next = skip_blanks(line.p + end, line.p + line.n);
        bool same = end - i == n + 2 && memcmp(line.p + i + 1, name, n) == 0;
        if (depth == 1 && same && *next == ':')
            return (size_t)(skip_blanks(next + 1, line.p + line.n) - line.p);
        i = end - 1;
    }
    return 0;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

/* ---- the careful way ------------------------------------------------------------------- */

struct row {
    const struct reader_line *line;
    struct arena *arena;
    struct prompt *prompt;
    struct err *err;
};

static int refuse_type(const struct row *row, const char *name, const char *wanted,
                       const json_t *value)
{
    return reader_refuse(row->line, find_value(row->line->text, name), row->err,
                         "'%s' must be %s, not %s", name, wanted, type_name(value));
}

static struct span canonical(const struct row *row, const json_t *value)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    json_add_canonical(&out, value);
    struct span text = arena_span(row->arena, buf_view(&out));
    buf_clear(&out);
    return text;
}

static int refuse_member(const struct row *row, const char *name)
{
    struct nearest near = {.given = name};
    for (size_t i = 0; i < MEMBERS; i++)
        nearest_offer(&near, members[i]);
    reader_refuse(row->line, find_value(row->line->text, name), row->err,
                  "unknown member '%.100s'", name);
    err_why(row->err, "a row has id, prompt or messages, params and metadata");
    if (near.found != NULL)
        return err_fix(row->err,
                       "did you mean '%s'? Data of your own goes into 'metadata'",
                       near.found);
    return err_fix(row->err, "data of your own goes into 'metadata'");
}

static int check_members(const struct row *row, const json_t *root)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)root, name, value)
    {
        bool known = false;
        for (size_t i = 0; i < MEMBERS; i++)
            known = known || strcmp(members[i], name) == 0;
        if (!known)
            return refuse_member(row, name);
    }
    return 0;
}

/* One entry of messages: a role, and a content that is text, parts or nothing. */
static int check_message(const struct row *row, const json_t *message, size_t i)
{
    size_t at = find_value(row->line->text, "messages");
    if (!json_is_object(message))
        return reader_refuse(row->line, at, row->err,
                             "'messages[%zu]' must be an object, not %s", i,
                             type_name(message));
    const json_t *role = json_object_get(message, "role");
    const json_t *content = json_object_get(message, "content");
    if (role == NULL)
        return reader_refuse(row->line, at, row->err, "'messages[%zu]' has no 'role'", i);
    if (!json_is_string(role) || json_string_length(role) == 0)
        return reader_refuse(row->line, at, row->err,
                             "'messages[%zu].role' must be a string such as \"user\"", i);
    if (content != NULL && !json_is_string(content) && !json_is_array(content) &&
        !json_is_null(content))
        return reader_refuse(row->line, at, row->err,
                             "'messages[%zu].content' must be a string or a list, not %s",
                             i, type_name(content));
    return 0;
}

static int take_messages(const struct row *row, const json_t *messages)
{
    if (!json_is_array(messages))
        return refuse_type(row, "messages", "a list of objects", messages);
    if (json_array_size(messages) == 0)
        return reader_refuse(row->line, find_value(row->line->text, "messages"), row->err,
                             "'messages' is empty");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        if (check_message(row, json_array_get(messages, i), i) != 0)
            return -1;
    }
    row->prompt->messages = canonical(row, messages);
    return 0;
}

static int take_prompt(const struct row *row, const json_t *text)
{
    if (!json_is_string(text))
        return refuse_type(row, "prompt", "a string", text);
    struct span span = {json_string_value(text), json_string_length(text)};
    if (span.n == 0)
        return reader_refuse(row->line, find_value(row->line->text, "prompt"), row->err,
                             "'prompt' is empty");
    row->prompt->messages = reader_user_message(span, row->arena);
    return 0;
}

/* What is asked: exactly one of prompt and messages. */
static int take_question(const struct row *row, const json_t *prompt,
                         const json_t *messages)
{
    if (prompt != NULL && messages != NULL) {
        size_t at = find_value(row->line->text, "messages");
        return reader_refuse(row->line, at, row->err,
                             "a row has 'prompt' or 'messages', not both");
    }
    if (prompt != NULL)
        return take_prompt(row, prompt);
    if (messages != NULL)
        return take_messages(row, messages);
    reader_refuse(row->line, 0, row->err, "a row without 'prompt' and 'messages'");
    return err_fix(row->err,
                   "write {\"prompt\": \"…\"} or {\"messages\": [{\"role\": \"user\", "
                   "\"content\": \"…\"}]}");
}

static int take_id(const struct row *row, const json_t *id)
{
    if (id == NULL)
        return 0;
    if (!json_is_string(id) && !json_is_integer(id))
        return refuse_type(row, "id", "a string or a whole number", id);
    if (json_is_string(id) && json_string_length(id) == 0)
        return reader_refuse(row->line, find_value(row->line->text, "id"), row->err,
                             "'id' is empty");
    struct span text = {json_string_value(id), json_string_length(id)};
    row->prompt->id =
        json_is_string(id) ? arena_span(row->arena, text) : canonical(row, id);
    return 0;
}

static int take_params(const struct row *row, const json_t *params)
{
    if (params == NULL || (json_is_object(params) && json_object_size(params) == 0))
        return 0;
    if (!json_is_object(params))
        return refuse_type(row, "params", "an object", params);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        const char *refusal = prompt_param_refusal(name);
        if (refusal == NULL)
            continue;
        reader_refuse(row->line, find_value(row->line->text, "params"), row->err,
                      "'params' cannot have '%s'", name);
        return err_why(row->err, "%s", refusal);
    }
    row->prompt->params = canonical(row, params);
    return 0;
}

static int take_metadata(const struct row *row, const json_t *metadata)
{
    if (metadata == NULL)
        return 0;
    if (!json_is_object(metadata))
        return refuse_type(row, "metadata", "an object", metadata);
    row->prompt->metadata = canonical(row, metadata);
    return 0;
}

/* NULL for a member that is missing or null: programs that write rows write nulls. */
static const json_t *get(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return json_is_null(value) ? NULL : value;
}

static int take_row(const struct row *row, const json_t *root)
{
    if (!json_is_object(root))
        return reader_refuse(row->line, 0, row->err, "a row must be an object, not %s",
                             type_name(root));
    if (check_members(row, root) != 0 ||
        take_question(row, get(root, "prompt"), get(root, "messages")) != 0 ||
        take_id(row, get(root, "id")) != 0 || take_params(row, get(root, "params")) != 0)
        return -1;
    return take_metadata(row, get(root, "metadata"));
}

static int refuse_json(const struct reader_line *line, const json_error_t *error,
                       struct err *err)
{
    size_t byte = error->position > 0 ? (size_t)error->position - 1 : 0;
    reader_refuse(line, byte, err, "the line is not valid JSON");
    err_why(err, "%s", error->text);
    return err_fix(err, "mend the line, or leave such lines out with --invalid=skip");
}

static int parse(const struct reader_line *line, struct arena *arena,
                 struct prompt *prompt, struct err *err)
{
    if (plain_row_parse(line->text, arena, prompt))
        return 0;
    json_error_t error;
    json_t *root = json_loadb(line->text.p, line->text.n,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL)
        return refuse_json(line, &error, err);
    struct row row = {line, arena, prompt, err};
    int result = take_row(&row, root);
    json_decref(root);
    return result;
}

const struct reader read_jsonl = {
    .name = "jsonl",
    .suffixes = " .jsonl .ndjson ",
    .about = "one JSON object a line, with prompt or messages",
    .parse = parse,
};
