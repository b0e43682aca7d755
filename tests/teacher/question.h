/* SPDX-License-Identifier: MIT */
/* question: what a chat completion request asks for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

enum { QUESTION_N_MAX = 128, QUESTION_TOP_MAX = 1000 };

struct question {
    struct span model;  /* absent: none named */
    uint64_t hash;      /* of the whole body in canonical form */
    uint64_t seed;      /* of the messages alone: what the answer is made from */
    size_t size;        /* of the messages as canonical JSON, in bytes */
    int64_t max_tokens; /* 0: no limit */
    int64_t n;          /* answers wanted */
    int64_t top;        /* alternatives a token; -1: no log-probabilities */
    bool return_ids;    /* return_token_ids */
    bool tokens_as_ids; /* return_tokens_as_token_ids */
};

/* Reads a request's body. On failure returns -1 and says in *wrong what a server would say
 * (a constant text). Spans in the arena. */
int question_parse(struct span body, struct arena *arena, struct question *question,
                   const char **wrong);
