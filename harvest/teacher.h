/* SPDX-License-Identifier: MIT */
/* teacher: a wire format, as a pair of pure functions.
 *
 * A codec turns a request into the bytes a teacher wants, and a teacher's bytes into an
 * answer or into a reason why there is none. It touches no socket, clock or disk. One
 * file in harvest/teacher/ each, and one line in Makefile.am. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/record.h"

/* Peculiarities of servers that speak a format, as data. Bits. */
enum dialect {
    DIALECT_TOKEN_IDS = 1 << 0, /* vLLM: return_token_ids, return_tokens_as_token_ids */
};

/* What to ask. All JSON is canonical; spans live until encode returns. */
struct ask {
    struct span model;    /* plain text */
    struct span system;   /* plain text; absent: none */
    struct span messages; /* list */
    struct span params;   /* object, merged of stanza, options and row; absent: none */
    unsigned dialect;
};

/* What came back. */
struct reply {
    int status;          /* HTTP */
    struct span headers; /* "name: value\n" lines, names in lower case */
    struct span body;
    bool cut; /* the transfer did not end cleanly */
};

enum { CHOICES_MAX = 128 }; /* the largest n any API takes */

/* What it means. Spans point into the reply or the arena. */
struct decoded {
    enum outcome outcome; /* ANSWERED, LATER, RETRY, FAILED, HOLD; AMBIGUOUS when cut */
    enum reason reason;
    int64_t retry_after_ms; /* -1: not said; only for LATER and RETRY */
    struct span note;       /* one line of the teacher's own words */
    struct span model, fingerprint, request_id;
    struct usage usage;
    struct answer *answers; /* by choice; in the arena */
    size_t n_answers;
};

struct codec {
    const char *name;  /* "openai-chat" */
    const char *about; /* one line */
    const char *path;  /* below the teacher's url: "/v1/chat/completions" */
    /* Appends the request body. Members of params are copied unchanged. */
    int (*encode)(const struct ask *ask, struct buf *body, struct err *err);
    /* Never fails: whatever came back has an outcome. asked_logprobs and asked_model
     * allow it to flag what is missing. */
    void (*decode)(const struct reply *reply, const struct ask *ask, struct arena *arena,
                   struct decoded *decoded);
};

/* NULL when there is none of that name. */
const struct codec *codec_find(const char *name);
/* All of them, NULL-terminated, in the order of Makefile.am. */
const struct codec *const *codec_all(void);
