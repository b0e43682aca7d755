/* SPDX-License-Identifier: MIT */
/* captured: replies of real servers with the requests that they answered
 * (tests/unit/replies/NAME.body, NAME.meta.json). */
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "harvest/teacher.h"

struct captured {
    struct arena arena; /* everything below lies in it */
    struct ask ask;     /* model and params as they were sent */
    struct reply reply;
};

/* Requires: the files are there and as they were captured; anything else aborts. */
void captured_load(const char *name, struct captured *captured);
void captured_clear(struct captured *captured);

/* The whole file below the source folder as text in the arena. */
struct span captured_read(struct arena *arena, const char *folder, const char *name,
                          const char *suffix);

/* Names of all that are there, sorted, NULL at the end; in the arena. */
char **captured_names(struct arena *arena, size_t *n);

/* Decodes with openai-chat. */
void captured_decode(struct captured *captured, struct decoded *decoded);
