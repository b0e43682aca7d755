/* SPDX-License-Identifier: MIT */
/* response: the bytes of an HTTP reply, and how they leave. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tests/teacher/script.h"

/* What happens when the last byte of a plan has left. */
enum ending { ENDING_KEEP, ENDING_CLOSE, ENDING_RESET, ENDING_HANG, ENDING_KILL };

/* How one request is answered. The buffers are used again for the next one. */
struct plan {
    struct buf out, scratch;
    int status;
    struct span bytes; /* all that is said, if nothing cuts it short */
    size_t head;       /* of them, with the empty line */
    size_t stop;       /* bytes that do leave */
    size_t piece;      /* of the body at a time; 0: everything at once */
    int64_t every_ms, delay_ms;
    struct span filler; /* said `repeat` times after the bytes, then `last` */
    uint64_t repeat;
    struct span last;
    enum ending ending;
    bool in_flight; /* counted in the book, which wants to know the end */
};

void plan_init(struct plan *plan);
void plan_reset(struct plan *plan); /* nothing is said, then the connection is kept */
void plan_clear(struct plan *plan);

/* Plans a whole reply with this body. step may be NULL; it brings headers and form. */
void response_say(struct plan *plan, int status, struct span body,
                  const struct step *step, bool keep_alive);

/* Lets the step do to the reply what it does. */
void response_shape(struct plan *plan, const struct step *step, bool keep_alive);

/* Plans a bomb. */
void response_bomb(struct plan *plan, const struct step *step);
