/* SPDX-License-Identifier: MIT */
#include "tests/unit/captured.h"

#include <assert.h>
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

static const char folder[] = "tests/unit/replies";

static char *path_of(const char *where, const char *name, const char *suffix)
{
    const char *top = getenv("srcdir");
    return mem_format("%s/%s/%s%s", top == NULL ? "." : top, where, name, suffix);
}

struct span captured_read(struct arena *arena, const char *where, const char *name,
                          const char *suffix)
{
    char *path = path_of(where, name, suffix);
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    struct err err = {0};
    if (file_read(path, SIZE_MAX / 4, &text, &err) != 0) {
        err_print(&err, stderr, false);
        abort();
    }
    struct span kept = arena_span(arena, buf_view(&text));
    buf_clear(&text);
    free(path);
    return kept;
}

/* The request less what the codec adds by itself. */
static void load_ask(json_t *request, struct captured *captured)
{
    captured->ask = (struct ask){.messages = SPAN_LITERAL("[]")};
    if (!json_is_object(request)) /* a broken one, kept as a string */
        return;
    const char *model = json_string_value(json_object_get(request, "model"));
    captured->ask.model =
        span_of(model == NULL ? "" : arena_str(&captured->arena, model));
    json_object_del(request, "model");
    json_object_del(request, "messages");
    struct buf params;
    buf_init(&params, SIZE_MAX / 2);
    json_add_canonical(&params, request);
    captured->ask.params = arena_span(&captured->arena, buf_view(&params));
    buf_clear(&params);
}

static void load_headers(json_t *headers, struct captured *captured)
{
    struct buf lines;
    buf_init(&lines, SIZE_MAX / 2);
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value)
    {
        for (const char *p = name; *p != '\0'; p++)
            buf_byte(&lines, (char)tolower((unsigned char)*p));
        buf_format(&lines, ": %s\n", json_string_value(value));
    }
    captured->reply.headers = arena_span(&captured->arena, buf_view(&lines));
    buf_clear(&lines);
}

void captured_load(const char *name, struct captured *captured)
{
    *captured = (struct captured){0};
    struct span meta = captured_read(&captured->arena, folder, name, ".meta.json");
    json_t *root = json_parse(meta, NULL);
    assert(root != NULL);
    load_ask(json_object_get(root, "request"), captured);
    load_headers(json_object_get(root, "headers"), captured);
    captured->reply.status = (int)json_integer_value(json_object_get(root, "status"));
    captured->reply.body = captured_read(&captured->arena, folder, name, ".body");
    json_decref(root);
}

void captured_clear(struct captured *captured)
{
    arena_clear(&captured->arena);
}

char **captured_names(struct arena *arena, size_t *n)
{
    static const char suffix[] = ".meta.json";
    glob_t found;
    char *pattern = path_of(folder, "*", suffix);
    if (glob(pattern, 0, NULL, &found) != 0)
        abort();
    char **names = arena_new(arena, (found.gl_pathc + 1) * sizeof *names);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct span name = span_of(strrchr(found.gl_pathv[i], '/') + 1);
        name.n -= sizeof suffix - 1;
        names[i] = (char *)(uintptr_t)arena_span(arena, name).p;
    }
    *n = found.gl_pathc;
    globfree(&found);
    free(pattern);
    return names;
}

void captured_decode(struct captured *captured, struct decoded *decoded)
{
    const struct codec *codec = codec_find("openai-chat");
    codec->decode(&captured->reply, &captured->ask, &captured->arena, decoded);
}
