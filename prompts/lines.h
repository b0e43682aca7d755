/* SPDX-License-Identifier: MIT */
/* lines: a file or a pipe as lines, in a bounded window of memory.
 *
 * Never mapped: a file that shrinks while it is read must not kill the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct lines {
    int fd;
    size_t max; /* bytes in a line */
    const char *name;
    char *bytes;                /* the window */
    size_t cap, start, at, end; /* bytes from start to end are unread; no LF before at */
    uint64_t offset;            /* of start in the input */
    uint64_t number;            /* of the line that was read last, from 1 */
    bool ended;
};

struct line {
    struct span text; /* without LF or CRLF; valid until the next call */
    uint64_t offset;  /* of its first byte */
    bool too_long; /* more than max bytes: the text is empty, all of it was passed over */
};

/* The window is kept from one input to the next; zeroed at first. */
void lines_start(struct lines *lines, int fd, const char *name, size_t max);
/* *more false at the end. Fails with ERR_STORAGE only. */
int lines_next(struct lines *lines, struct line *line, bool *more, struct err *err);
void lines_clear(struct lines *lines);
