/* SPDX-License-Identifier: MIT */
#include "prompts/plain_row.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"

enum { INTEGER_DIGITS = 18 };

/* A row in the works. Each take_… moves p behind what it took, or returns false. */
struct work {
    const char *p, *end;
    struct arena *arena;
    struct buf messages; /* canonical, once there are some */
    struct buf text;     /* of the string at hand, unescaped */
    struct span id, metadata;
};

/* A string literal: what stands between its quotes. */
struct literal {
    struct span inside;
    bool escaped;
};

static bool take_byte(struct work *work, char byte)
{
    while (work->p < work->end &&
           (*work->p == ' ' || *work->p == '\t' || *work->p == '\r'))
        work->p++;
    if (work->p == work->end || *work->p != byte)
        return false;
    work->p++;
    return true;
}

static bool take_literal(struct work *work, struct literal *literal)
{
    if (!take_byte(work, '"'))
        return false;
    const char *start = work->p;
    literal->escaped = false;
    for (;;) {
        work->p +=
            json_plain_prefix((struct span){work->p, (size_t)(work->end - work->p)});
        if (work->end - work->p < 2) /* at least } follows a string */
            return false;
        if (*work->p == '"')
            break;
        if (*work->p != '\\')
            return false;
        literal->escaped = true;
        work->p += 2;
    }
    literal->inside = (struct span){start, (size_t)(work->p++ - start)};
    return true;
}

/* The text of a literal, until the next call. What needs judging (NUL, lone surrogates,
 * which json_unquote makes U+FFFD of) is refused here. */
static bool read_text(struct work *work, const struct literal *literal, struct span *text)
{
    *text = literal->inside;
    if (!literal->escaped)
        return true;
    buf_reset(&work->text);
    if (!json_unquote(&work->text,
                      (struct span){literal->inside.p - 1, literal->inside.n + 2}))
        return false;
    *text = buf_view(&work->text);
    return memchr(text->p, '\0', text->n) == NULL &&
           memmem(text->p, text->n, "\xef\xbf\xbd", 3) == NULL;
}

static bool take_id(struct work *work)
{
    struct literal literal;
    struct span text;
    if (take_literal(work, &literal)) {
        if (literal.inside.n == 0 || !read_text(work, &literal, &text))
            return false;
        work->id = arena_span(work->arena, text);
        return true;
    }
    const char *start = work->p; /* blanks were passed over */
    work->p += work->p < work->end && *work->p == '-';
    const char *digits = work->p;
    while (work->p < work->end && *work->p >= '0' && *work->p <= '9')
        work->p++;
    size_t n = (size_t)(work->p - digits);
    if (n == 0 || n > INTEGER_DIGITS || (*digits == '0' && work->p - start > 1) ||
        work->p == work->end || strchr(".eE", *work->p) != NULL)
        return false;
    work->id = arena_span(work->arena, (struct span){start, (size_t)(work->p - start)});
    return true;
}

/* Appends one string in canonical form. */
static bool add_literal(struct work *work, const struct literal *literal)
{
    if (!literal->escaped) {
        buf_add(&work->messages, literal->inside.p - 1, literal->inside.n + 2);
        return true;
    }
    struct span text;
    if (!read_text(work, literal, &text))
        return false;
    json_add_string(&work->messages, text);
    return true;
}

static bool add_message(struct work *work, const struct literal *content,
                        const struct literal *role)
{
    buf_text(&work->messages, "{\"content\":");
    if (!add_literal(work, content))
        return false;
    buf_text(&work->messages, ",\"role\":");
    if (!add_literal(work, role))
        return false;
    buf_byte(&work->messages, '}');
    return true;
}

static bool take_prompt(struct work *work)
{
    static const char user[] = "\"user\""; /* a literal has its quotes around it */
    struct literal content, role = {{user + 1, 4}, false};
    if (work->messages.n > 0 || !take_literal(work, &content) || content.inside.n == 0)
        return false;
    buf_reserve(&work->messages, content.inside.n + 64);
    buf_byte(&work->messages, '[');
    if (!add_message(work, &content, &role))
        return false;
    buf_byte(&work->messages, ']');
    return true;
}

/* {"role": "…", "content": "…"} in either order */
static bool take_message(struct work *work)
{
    struct literal name, content = {0}, role = {0};
    char before = '{';
    while (take_byte(work, before)) {
        if (!take_literal(work, &name) || !take_byte(work, ':'))
            return false;
        struct literal *member = span_is(name.inside, "content") ? &content
                                 : span_is(name.inside, "role")  ? &role
                                                                 : NULL;
        if (member == NULL || member->inside.p != NULL || !take_literal(work, member))
            return false;
        before = ',';
    }
    return take_byte(work, '}') && content.inside.p != NULL && role.inside.n > 0 &&
           add_message(work, &content, &role);
}

static bool take_messages(struct work *work)
{
    if (work->messages.n > 0)
        return false;
    char before = '[';
    while (take_byte(work, before)) {
        buf_byte(&work->messages, before);
        if (!take_message(work))
            return false;
        before = ',';
    }
    buf_byte(&work->messages, ']');
    return before == ',' && take_byte(work, ']');
}

/* Finds where an object ends; whether it is one at all is for jansson to say. */
static bool pass_object(struct work *work)
{
    struct literal literal;
    int depth = 0;
    while (work->p < work->end) {
        if (*work->p == '"') {
            if (!take_literal(work, &literal))
                return false;
            continue;
        }
        depth += *work->p == '{';
        depth -= *work->p == '}';
        work->p++;
        if (depth == 0)
            return true;
    }
    return false;
}

static bool take_metadata(struct work *work)
{
    if (work->metadata.p != NULL || !take_byte(work, '{'))
        return false;
    const char *start = --work->p;
    return pass_object(work) &&
           json_canonical((struct span){start, (size_t)(work->p - start)}, work->arena,
                          &work->metadata, NULL) == 0;
}

static bool take_member(struct work *work)
{
    struct literal name;
    if (!take_literal(work, &name) || !take_byte(work, ':'))
        return false;
    if (span_is(name.inside, "prompt"))
        return take_prompt(work);
    if (span_is(name.inside, "messages"))
        return take_messages(work);
    if (span_is(name.inside, "metadata"))
        return take_metadata(work);
    return span_is(name.inside, "id") && work->id.p == NULL && take_id(work);
}

static bool take_row(struct work *work)
{
    char before = '{';
    while (take_byte(work, before)) {
        if (!take_member(work))
            return false;
        before = ',';
    }
    bool closed = take_byte(work, '}');
    take_byte(work, '\0'); /* passes over blanks; there is no NUL in a line */
    return closed && work->p == work->end && work->messages.n > 0;
}

bool plain_row_parse(struct span line, struct arena *arena, struct prompt *prompt)
{
    struct work work = {.p = line.p, .end = line.p + line.n, .arena = arena};
    buf_init(&work.messages, SIZE_MAX / 2);
    buf_init(&work.text, SIZE_MAX / 2);
    bool plain = take_row(&work);
    if (plain) {
        prompt->id = work.id;
        prompt->messages = arena_span(arena, buf_view(&work.messages));
        prompt->metadata = work.metadata;
    }
    buf_clear(&work.messages);
    buf_clear(&work.text);
    return plain;
}
