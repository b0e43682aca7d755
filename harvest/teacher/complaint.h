/* SPDX-License-Identifier: MIT */
/* complaint: what a teacher says when it does not answer.
 *
 * Error bodies come nested ({"error":{…}}), flat ({"object":"error","message":…}), as a
 * string ({"error":"…"}), as a list of one, with JSON inside of the message, as a page of a
 * proxy or as plain text. All of that becomes the same few words. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"

enum { NOTE_MAX = 500 };

/* Plain texts, absent when there is none. */
struct complaint {
    bool found;         /* the body calls itself an error */
    int status;         /* HTTP status named inside, 0: none */
    struct span code;   /* "rate_limit_exceeded" */
    struct span type;   /* "BadRequestError" */
    struct span detail; /* a finer code: "RESOURCE_EXHAUSTED" */
    struct span param;  /* the member of the request that is to blame */
    struct span message;
};

/* Reads a whole body of any kind. Texts lie in the body or the arena. */
void complaint_read(struct span body, struct arena *arena, struct complaint *complaint);

/* A text from outside as one line of at most NOTE_MAX bytes of UTF-8 in the arena, each run
 * of white space and control characters being one space; of HTML, its title. Absent when
 * nothing is left. */
struct span note_line(struct span text, struct arena *arena);
