/* SPDX-License-Identifier: MIT */
/* record: the nouns that pass between the folders.
 *
 * A prompt comes from a prompt set; one prompt for one teacher with one set of parameters
 * and one sample number is a request, identified by its key; one HTTP exchange is an
 * attempt; what came back is an answer. Spans are borrowed: each place that hands one out
 * says until when. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"

/* What is asked for. The values are stored. */
enum kind {
    KIND_CHAT = 1,
    KIND_COMPLETION = 2,
    KIND_SCORE = 3,
    KIND_LABEL = 4,
    KIND_EMBED = 5,
};

/* One question, as a reader yields it. */
struct prompt {
    struct span id; /* the user's; absent: the first 16 digits of its hash stand in */
    struct span messages; /* canonical JSON: [{"content":…,"role":…},…] */
    struct span params;   /* canonical JSON object merged into the body; absent: none */
    struct span metadata; /* canonical JSON object carried to the export; absent: none */
    const char *source;   /* file it came from */
    uint64_t line;        /* where it began, from 1 */
};

/* Why the teacher stopped. The values are stored; add at the end only. */
enum finish {
    FINISH_NONE = 0, /* none was given */
    FINISH_STOP = 1,
    FINISH_LENGTH = 2, /* truncated by a token limit */
    FINISH_TOOL_CALLS = 3,
    FINISH_CONTENT_FILTER = 4,
    FINISH_OTHER = 5, /* a word we do not know; it is in the body */
};

/* What is odd about an answer, as bits. The values are stored; add at the end only. */
enum flag {
    FLAG_REFUSAL = 1 << 0,        /* the teacher declined in its refusal field */
    FLAG_EMPTY = 1 << 1,          /* no content, no tool call */
    FLAG_NO_FINISH = 1 << 2,      /* finish reason absent or empty */
    FLAG_MODEL_MISMATCH = 1 << 3, /* served by another model than asked */
    FLAG_NO_LOGPROBS = 1 << 4,    /* asked for, not given */
    FLAG_SHORT_LOGPROBS = 1 << 5, /* fewer entries than completion tokens */
    FLAG_BODY_WHOLE = 1 << 6,     /* logprob arrays were left in the body, see pack.h */
    FLAG_ODD_LOGPROBS = 1 << 7,   /* null, positive or infinite values among them */
    FLAG_REPAIRED = 1 << 8,       /* the body was no strict JSON until repaired */
    FLAG_ANSWER_IN_REASONING = 1 << 9, /* content empty, reasoning not */
};

/* Which text a distribution belongs to. The values are stored. */
enum track_name {
    TRACK_CONTENT = 0,
    TRACK_REASONING = 1,
    TRACK_REFUSAL = 2,
    TRACK_PROMPT = 3,
    TRACKS = 4,
};

/* One token with its log-probability, as the teacher spelt it. */
struct logprob {
    struct span token; /* inside of the JSON string literal, escapes untouched */
    struct span bytes; /* JSON text of the list; "null"; absent: no such member */
    int64_t id;        /* vocabulary id given by the teacher, or -1 */
    double value;      /* natural logarithm; NaN stands for JSON null */
};

/* How the numbers of a track can be kept without loss: bits that hold for all of them. */
enum number_style {
    NUMBER_F32 = 1 << 0,       /* equals the double form of a float32 */
    NUMBER_F32_SHORT = 1 << 1, /* is the shortest decimal of a float32 */
};

/* The distributions over one text. Position i has entries first[i] .. first[i + 1] - 1: the
 * chosen token, then its alternatives in the teacher's order. Position i describes the i-th
 * entry the teacher gave; whether that is the i-th token is for FLAG_SHORT_LOGPROBS. */
struct track {
    struct logprob *entries;
    uint32_t *first;    /* positions + 1 of them */
    uint32_t positions; /* 0: no distributions */
    unsigned style;     /* AND of enum number_style over all numbers */
    unsigned shape;     /* members an entry has, see enum track_shape */
    struct span array;  /* the JSON array inside the body, brackets included */
};

/* Which members every entry of a track has; entries that differ make the codec leave
 * `understood` false. */
enum track_shape {
    SHAPE_ID = 1 << 0,
    SHAPE_BYTES = 1 << 1,
    SHAPE_TOP = 1 << 2, /* top_logprobs is there, be it empty */
};

/* One choice of a reply. The spans are raw JSON values inside the body (strings with their
 * quotes) and live as long as it does; absent for a member that is missing or null. */
struct answer {
    int index; /* the choice's index */
    enum finish finish;
    unsigned flags;
    struct span content;
    struct span reasoning;
    struct span refusal;
    struct span tool_calls;
    struct track tracks[TRACKS];
    bool understood; /* the tracks hold everything that their arrays do */
};

/* Token counts; -1 is unknown, which is not 0. */
struct usage {
    int64_t prompt, completion, cached, reasoning;
};

/* What an exchange came to. The values are stored; add at the end only. */
enum outcome {
    OUTCOME_NONE = 0,
    OUTCOME_ANSWERED = 1,
    OUTCOME_UNSENT = 2, /* proven never to have reached the teacher */
    OUTCOME_LATER = 3,  /* told to wait: 429, loading; costs no attempt */
    OUTCOME_RETRY = 4,  /* a fault that may pass; costs an attempt */
    OUTCOME_AMBIGUOUS =
        5,              /* sent, and what became of it is unknown; may have been billed */
    OUTCOME_FAILED = 6, /* this request will not be answered */
    OUTCOME_HOLD = 7,   /* nothing will be answered until a person acts */
};

/* Why, in one word each. The values are stored; add at the end only. */
enum reason {
    REASON_NONE = 0,
    REASON_CREDENTIAL = 1, /* 401, 403 about the key */
    REASON_CREDIT = 2,     /* money or quota is gone */
    REASON_MODEL = 3,      /* unknown model or path */
    REASON_REQUEST = 4,    /* the teacher rejects this request */
    REASON_TOO_LONG = 5,   /* prompt exceeds the context */
    REASON_FILTERED = 6,   /* the prompt was blocked */
    REASON_RATE = 7,       /* 429 */
    REASON_OVERLOAD = 8,   /* 503, 529, queue full, loading */
    REASON_SERVER = 9,     /* other 5xx */
    REASON_SHAPE = 10,     /* JSON of the wrong shape */
    REASON_NOT_JSON = 11,  /* empty, HTML, cut without a trace */
    REASON_REDIRECT = 12,
    REASON_CONNECT = 13, /* DNS, refused, TLS */
    REASON_TIMEOUT = 14,
    REASON_CUT = 15,       /* reset or closed in the middle */
    REASON_TOO_LARGE = 16, /* more decoded bytes than the ceiling */
    REASON_KILLED = 17,    /* we ended while it was out */
    REASON_CANCELLED = 18, /* stopped by the user while it was out */
    REASON_CONFIG = 19,    /* scheme, proxy, address: a person must look */
};

/* Names as shown and stored in views: "stop", "answered", "credential"; "?" if unknown. */
const char *kind_name(enum kind kind);
const char *finish_name(enum finish finish);
const char *outcome_name(enum outcome outcome);
const char *reason_name(enum reason reason);
const char *track_title(enum track_name track); /* "content", "reasoning", … */
/* Comma-separated names of the set bits; "" for none. */
void flags_add(struct buf *out, unsigned flags);
