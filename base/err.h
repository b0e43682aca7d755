/* SPDX-License-Identifier: MIT */
/* err: one failure of the world, told once.
 *
 * A function that can fail for a reason outside the program takes `struct err *` last and
 * returns 0 or -1; values come back through out-parameters, written only on success. The
 * first failure is kept; callers add what they know. Only main prints it. A broken
 * contract is an assert instead, and a teacher's bad answer is data, not an error. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* The values are the exit codes, documented in harvest(1). */
enum err_code {
    ERR_NONE = 0,
    ERR_INTERNAL = 1,
    ERR_USAGE = 2,      /* command line, configuration or prompts */
    ERR_PROMPTS = 3,    /* some prompts failed for good */
    ERR_CREDENTIAL = 4, /* missing or refused */
    ERR_BUDGET = 5,
    ERR_WAIT = 6, /* the teacher asks for a longer wait than --max-wait */
    ERR_UNREACHABLE = 7,
    ERR_STORAGE = 8, /* disk full, input/output, permissions */
    ERR_DAMAGED = 9,
    ERR_NO_STORE = 10,
    ERR_LOCKED = 11,
    ERR_NEWER = 12, /* store written by a newer version */
    ERR_SIGINT = 130,
    ERR_SIGTERM = 143,
};

/* Printed as `harvest: error: WHAT` and one line for each other part that is not empty.
 */
struct err {
    enum err_code code;
    char what[512];
    char where[512];
    char why[512];
    char safe[256]; /* what happened to data and money */
    char fix[512];
};

/* All of these return -1, keep what an earlier call wrote, and do nothing for err ==
 * NULL. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int err_where(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int err_why(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int err_safe(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int err_fix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts context in front of `what`: "store: write 'x': No space left on device". */
int err_prefix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As text, or as one JSON object on one line. Control bytes are shown as \u{…}. */
void err_print(const struct err *err, FILE *out, bool json);
