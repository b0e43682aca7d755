/* SPDX-License-Identifier: MIT */
#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>
#include <yaml.h>

#include "base/json.h"
#include "base/mem.h"

enum { DEPTH_MAX = 32, NODES_MAX = 10000 };

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct arena *arena;
    struct err *err;
    unsigned nodes;
};

static int fail_at(struct reader *reader, size_t line, const char *what)
{
    err_set(reader->err, ERR_USAGE, "%s", what);
    return err_where(reader->err, "%s:%zu", reader->name, line);
}

/* libyaml's own words; its marks count from 0. */
static int fail_parser(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem == NULL ? "?" : parser->problem;
    if (parser->error == YAML_READER_ERROR) {
        err_set(reader->err, ERR_USAGE, "not valid YAML: %s", problem);
        return err_where(reader->err, "%s, byte %zu", reader->name,
                         parser->problem_offset);
    }
    err_set(reader->err, ERR_USAGE, "not valid YAML: %s", problem);
    if (parser->context != NULL)
        err_why(reader->err, "%s that began in line %zu", parser->context,
                parser->context_mark.line + 1);
    return err_where(reader->err, "%s:%zu:%zu", reader->name,
                     parser->problem_mark.line + 1, parser->problem_mark.column + 1);
}

/* What we refuse whatever is around it. */
static const char *find_objection(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return "aliases ('*name') are not supported: write the value again";
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor != NULL)
        return "anchors ('&name') are not supported: text that starts with '&' needs "
               "quotes";
    if (tag != NULL)
        return "tags ('!name') are not supported: text that starts with '!' needs quotes";
    return NULL;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    if (!yaml_parser_parse(&reader->parser, event))
        return fail_parser(reader);
    const char *objection = find_objection(event);
    if (objection == NULL)
        return 0;
    fail_at(reader, event->start_mark.line + 1, objection);
    yaml_event_delete(event);
    return -1;
}

static struct yaml_node *make_node(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_node *node = arena_new(reader->arena, sizeof *node);
    node->line = (unsigned)event->start_mark.line + 1;
    node->kind = YAML_SCALAR;
    if (event->type == YAML_MAPPING_START_EVENT)
        node->kind = YAML_MAPPING;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        node->kind = YAML_SEQUENCE;
    if (node->kind == YAML_SCALAR) {
        struct span text = {(const char *)event->data.scalar.value,
                            event->data.scalar.length};
        node->text = arena_span(reader->arena, text).p;
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    }
    return node;
}

/* A scalar's bytes are a C string from here on. */
static int check_scalar(struct reader *reader, const yaml_event_t *event)
{
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
        return fail_at(reader, event->start_mark.line + 1, "text with a NUL in it");
    return 0;
}

static int check_key(struct reader *reader, const struct yaml_node *parent,
                     const struct yaml_node *key)
{
    if (key->kind != YAML_SCALAR)
        return fail_at(reader, key->line, "a key must be text");
    if (key->text[0] == '\0')
        return fail_at(reader, key->line, "a key is missing before ':'");
    if (key->plain && strcmp(key->text, "<<") == 0)
        return fail_at(reader, key->line, "merge keys ('<<') are not supported");
    for (const struct yaml_node *other = parent->child; other != NULL;
         other = other->next) {
        if (strcmp(other->key, key->text) != 0)
            continue;
        err_set(reader->err, ERR_USAGE, "key '%.100s' comes twice", key->text);
        err_where(reader->err, "%s:%u", reader->name, key->line);
        return err_why(reader->err, "it was given before in line %u", other->line);
    }
    return 0;
}

static int read_node(struct reader *reader, const yaml_event_t *event, int depth,
                     struct yaml_node **node);

/* Reads the next node; *node is NULL at the end of what is being read. */
static int read_next(struct reader *reader, int depth, struct yaml_node **node)
{
    yaml_event_t event;
    if (next_event(reader, &event) != 0)
        return -1;
    int result = 0;
    *node = NULL;
    if (event.type != YAML_MAPPING_END_EVENT && event.type != YAML_SEQUENCE_END_EVENT)
        result = read_node(reader, &event, depth, node);
    yaml_event_delete(&event);
    return result;
}

static int read_children(struct reader *reader, struct yaml_node *parent, int depth)
{
    struct yaml_node **end = &parent->child;
    for (;;) {
        struct yaml_node *key = NULL, *node;
        if (parent->kind == YAML_MAPPING) {
            if (read_next(reader, depth + 1, &key) != 0)
                return -1;
            if (key == NULL)
                return 0;
            if (check_key(reader, parent, key) != 0)
                return -1;
        }
        if (read_next(reader, depth + 1, &node) != 0)
            return -1;
        if (node == NULL)
            return 0;
        if (key != NULL) {
            node->key = key->text;
            node->line = key->line;
        }
        *end = node;
        end = &node->next;
    }
}

static int read_node(struct reader *reader, const yaml_event_t *event, int depth,
                     struct yaml_node **node)
{
    if (depth > DEPTH_MAX)
        return fail_at(reader, event->start_mark.line + 1, "nested too deeply");
    if (++reader->nodes > NODES_MAX)
        return fail_at(reader, event->start_mark.line + 1, "too many values in one file");
    if (event->type == YAML_SCALAR_EVENT && check_scalar(reader, event) != 0)
        return -1;
    *node = make_node(reader, event);
    return (*node)->kind == YAML_SCALAR ? 0 : read_children(reader, *node, depth);
}

/* Stream start, [document start, a node, document end], stream end. */
static int read_stream(struct reader *reader, struct yaml_node **root)
{
    struct yaml_node *first = NULL;
    bool ended = false;
    while (!ended) {
        yaml_event_t event;
        if (next_event(reader, &event) != 0)
            return -1;
        int result = 0;
        ended = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && first != NULL)
            result = fail_at(reader, event.start_mark.line + 1,
                             "a second document: one file holds one");
        else if (event.type == YAML_DOCUMENT_START_EVENT)
            result = read_next(reader, 0, &first);
        yaml_event_delete(&event);
        if (result != 0)
            return -1;
    }
    *root = first != NULL && yaml_is_null(first) ? NULL : first;
    return 0;
}

int yaml_parse(struct span text, const char *name, struct arena *arena,
               struct yaml_node **root, struct err *err)
{
    struct reader reader = {.name = name, .arena = arena, .err = err};
    if (text.n > YAML_MAX) {
        err_set(err, ERR_USAGE, "a configuration of more than %d bytes", YAML_MAX);
        return err_where(err, "%s", name);
    }
    if (!yaml_parser_initialize(&reader.parser))
        mem_check(NULL);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &reader.parser, (const unsigned char *)(text.n == 0 ? "" : text.p), text.n);
    int result = read_stream(&reader, root);
    yaml_parser_delete(&reader.parser);
    return result;
}

/* ---- the core schema of YAML 1.2, chapter 10.3 ----------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return node->kind == YAML_SCALAR && node->plain && is_one_of(node->text, words);
}

static const char *skip_sign(const char *text)
{
    return text + (*text == '-' || *text == '+');
}

/* 10, 8 or 16 for [-+]?[0-9]+, 0o[0-7]+ and 0x[0-9a-fA-F]+; 0: no integer. */
static int find_base(const char *text)
{
    if (strncmp(text, "0o", 2) == 0)
        return text[2] != '\0' && text[2 + strspn(text + 2, "01234567")] == '\0' ? 8 : 0;
    if (strncmp(text, "0x", 2) == 0) {
        const char *digits = "0123456789abcdefABCDEF";
        return text[2] != '\0' && text[2 + strspn(text + 2, digits)] == '\0' ? 16 : 0;
    }
    text = skip_sign(text);
    return isdigit((unsigned char)*text) && text[strspn(text, "0123456789")] == '\0' ? 10
                                                                                     : 0;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
    const char *digits = "0123456789";
    text = skip_sign(text);
    size_t whole = strspn(text, digits), part = 0;
    text += whole;
    if (*text == '.') {
        part = strspn(text + 1, digits);
        text += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text = skip_sign(text + 1);
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, digits);
    }
    return *text == '\0';
}

static bool is_infinite_or_nan(const char *text)
{
    static const char *const words[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    return is_one_of(skip_sign(text), words) || is_one_of(text, nans);
}

/* NULL: a number that JSON has not. */
static json_t *plain_value(const char *text)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (is_one_of(text, yes) || is_one_of(text, no))
        return json_boolean(text[0] == 't' || text[0] == 'T');
    int base = find_base(text);
    if (base != 0) {
        errno = 0;
        long long value = strtoll(base == 10 ? text : text + 2, NULL, base);
        return errno == 0 ? mem_check(json_integer(value)) : NULL;
    }
    if (is_float(text)) {
        double value = strtod(text, NULL);
        return isfinite(value) ? mem_check(json_real(value)) : NULL;
    }
    return is_infinite_or_nan(text) ? NULL : mem_check(json_string(text));
}

static json_t *value_of(const struct yaml_node *node, const char *name, struct err *err)
{
    if (node->kind == YAML_SCALAR) {
        if (yaml_is_null(node))
            return json_null();
        json_t *value =
            node->plain ? plain_value(node->text) : mem_check(json_string(node->text));
        if (value == NULL) {
            err_set(err, ERR_USAGE, "the number '%.60s' has no form in JSON", node->text);
            err_where(err, "%s:%u", name, node->line);
        }
        return value;
    }
    bool mapping = node->kind == YAML_MAPPING;
    json_t *list = mem_check(mapping ? json_object() : json_array());
    for (const struct yaml_node *child = node->child; child != NULL;
         child = child->next) {
        json_t *value = value_of(child, name, err);
        if (value == NULL) {
            json_decref(list);
            return NULL;
        }
        if (mapping)
            json_object_set_new(list, child->key, value);
        else
            json_array_append_new(list, value);
    }
    return list;
}

int yaml_add_json(const struct yaml_node *node, const char *name, struct buf *out,
                  struct err *err)
{
    json_t *value = value_of(node, name, err);
    if (value == NULL)
        return -1;
    json_add_canonical(out, value);
    json_decref(value);
    return 0;
}

const char *yaml_library_version(void)
{
    return yaml_get_version_string();
}
