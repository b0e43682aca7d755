/* SPDX-License-Identifier: MIT */
#include "export/conversation.h"

#include <jansson.h>

#include "base/json.h"
#include "export/literal.h"

static void open_message(struct buf *out)
{
    buf_text(out, out->p[out->n - 1] == '[' ? "{\"role\":" : ",{\"role\":");
}

/* ---- prompts of plain messages, which are nearly all: spliced without a parse ---- */

static bool take_text(struct span *at, const char *text)
{
    size_t n = strlen(text);
    if (at->n < n || memcmp(at->p, text, n) != 0)
        return false;
    at->p += n;
    at->n -= n;
    return true;
}

static bool take_literal(struct span *at, struct span *literal)
{
    if (at->n == 0 || at->p[0] != '"')
        return false;
    size_t i = 1;
    for (;;) {
        i += json_plain_prefix((struct span){at->p + i, at->n - i});
        if (i >= at->n)
            return false;
        if (at->p[i] == '"')
            break;
        i += 2;
        if (i > at->n)
            return false;
    }
    *literal = (struct span){at->p, i + 1};
    at->p += i + 1;
    at->n -= i + 1;
    return true;
}

/* What the store holds is canonical: members sorted, no white space, our own spelling.
 * False when the messages have any other members; what was appended is void then. */
static bool splice_messages(struct buf *out, struct span at)
{
    if (!take_text(&at, "[{"))
        return false;
    do {
        struct span content, role;
        if (!take_text(&at, "\"content\":") || !take_literal(&at, &content) ||
            !take_text(&at, ",\"role\":") || !take_literal(&at, &role) ||
            !take_text(&at, "}"))
            return false;
        open_message(out);
        buf_span(out, role);
        buf_text(out, ",\"content\":");
        buf_span(out, content);
        buf_byte(out, '}');
    } while (take_text(&at, ",{"));
    return take_text(&at, "]") && at.n == 0;
}

/* ---- all others ---- */

static struct span text_of(const json_t *string)
{
    return (struct span){json_string_value(string), json_string_length(string)};
}

static bool is_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

static bool join_parts(struct buf *text, const json_t *parts)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        json_t *part = json_array_get(parts, i);
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *string = json_object_get(part, "text");
        if (type == NULL || strcmp(type, "text") != 0 || !json_is_string(string))
            return false;
        if (i > 0)
            buf_byte(text, '\n');
        buf_span(text, text_of(string));
    }
    return true;
}

static bool add_message(struct buf *out, json_t *message)
{
    const json_t *role = json_object_get(message, "role");
    const json_t *content = json_object_get(message, "content");
    if (!json_is_string(role))
        return false;
    const char *name;
    json_t *value;
    json_object_foreach(message, name, value)
    {
        if (value != role && value != content && !is_nothing(value))
            return false;
    }
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    bool fits = true;
    if (json_is_string(content))
        buf_span(&text, text_of(content));
    else if (!is_nothing(content))
        fits = json_is_array(content) && join_parts(&text, content);
    if (fits) {
        open_message(out);
        json_add_string(out, text_of(role));
        buf_text(out, ",\"content\":");
        json_add_string(out, buf_view(&text));
        buf_byte(out, '}');
    }
    buf_clear(&text);
    return fits;
}

static int add_messages(struct buf *out, struct span messages, bool *fits,
                        struct err *err)
{
    struct err why = {0};
    json_t *list = json_parse(messages, &why);
    if (list == NULL) {
        err_set(err, ERR_DAMAGED, "the messages of a prompt are no JSON");
        return err_why(err, "%s", why.why);
    }
    bool good = json_is_array(list);
    for (size_t i = 0; good && i < json_array_size(list); i++)
        good = add_message(out, json_array_get(list, i));
    json_decref(list);
    *fits = good;
    return 0;
}

/* ---- the answer ---- */

static int add_answer(struct buf *out, const struct row *row, bool *fits, struct err *err)
{
    struct span content = row->content.p != NULL ? row->content : row->refusal;
    if (content.p == NULL)
        content = SPAN_LITERAL("\"\"");
    *fits = literal_is_string(content) && row->tool_calls.n <= 2; /* absent or [] */
    if (!*fits)
        return 0;
    open_message(out);
    buf_text(out, "\"assistant\",\"content\":\"");
    bool good = true;
    if (row->reasoning.n > 2 && literal_is_string(row->reasoning)) {
        buf_text(out, "<think>\\n");
        good = literal_splice(out, literal_inside(row->reasoning));
        buf_text(out, "\\n</think>\\n\\n");
    }
    good = good && literal_splice(out, literal_inside(content));
    buf_text(out, "\"}");
    return good ? 0 : err_set(err, ERR_DAMAGED, "the text of an answer is no JSON");
}

int conversation_add(struct buf *out, const struct row *row, bool *fits, struct err *err)
{
    buf_byte(out, '[');
    if (row->system.p != NULL) {
        open_message(out);
        buf_text(out, "\"system\",\"content\":");
        json_add_string(out, row->system);
        buf_byte(out, '}');
    }
    size_t start = out->n;
    if (!splice_messages(out, row->messages)) {
        out->n = start;
        if (add_messages(out, row->messages, fits, err) != 0)
            return -1;
        if (!*fits)
            return 0;
    }
    if (add_answer(out, row, fits, err) != 0)
        return -1;
    buf_byte(out, ']');
    return 0;
}
