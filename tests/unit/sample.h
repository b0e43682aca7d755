/* SPDX-License-Identifier: MIT */
/* sample: a small store for the tests of what reads one, made through store.h alone. */
#pragma once

#include <stddef.h>

#include "base/record.h"
#include "store/store.h"

struct sample {
    const char *id;         /* of the prompt; NULL: none */
    const char *prompt;     /* text of the user's message, also what the key is made of */
    const char *messages;   /* canonical JSON instead; NULL: the prompt */
    const char *metadata;   /* JSON object or NULL */
    const char *answer;     /* inside of the JSON string; NULL: null */
    const char *tool_calls; /* JSON or NULL */
    const char *note;       /* what the teacher said of a failure */
    enum outcome outcome;   /* NONE: it is only planned */
    enum reason reason;
    enum finish finish;
    unsigned flags;
    int number;    /* of the sample */
    int positions; /* in the distributions; 0: no distributions */
    int top;       /* alternatives of each */
    bool odd;      /* the last log-probability is null */
};

/* The store of the teacher "smol" that a run over these left. Made anew; ends the test
 * when that fails. */
void sample_store(const char *path, const struct sample *samples, size_t n);

/* The same store with one more run, for the samples that are new in it. */
void sample_add(const char *path, const struct sample *samples, size_t n);

/* The number that the teacher gave for an entry; what the tests expect to read again. */
double sample_logprob(int position, int entry);

/* Opens it for reading; ends the test when that fails. */
struct store *sample_open(const char *path);
