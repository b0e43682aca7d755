/* SPDX-License-Identifier: MIT */
/* chat_reply: what stands in the body of a chat completion, without a judgement on it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "harvest/teacher.h"

struct chat_reply {
    const char *broken; /* why the body is no strict JSON; NULL: it is */
    size_t broken_at;   /* the byte */
    const char *wrong;  /* first thing that is not this format's shape; NULL: all is */
    bool is_error;      /* an `error` member says so, of the reply or of a choice */
    bool lone_surrogate;
    size_t n_interrupted; /* answers that ended by a fault of the server, in its words */
    struct span id;       /* plain text; absent: none */
};

/* Fills answers (sorted by index, the first of those with one index), usage, model and
 * fingerprint of *out, which must be zeroed but for its unknown counts. Of a body that is
 * not JSON to its very end nothing is taken. Counts may be spelt 12, 12.0 or "12"; of a
 * member that comes twice the last value that is not null counts; an empty list counts as
 * null. */
void chat_reply_read(struct span body, struct arena *arena, struct decoded *out,
                     struct chat_reply *about);
