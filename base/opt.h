/* SPDX-License-Identifier: MIT */
/* opt: options, once.
 *
 * Every option is a stanza in doc/options.txt. From the stanzas come the rows below (and
 * the man page and the completions), and from the rows one engine reads the command line,
 * HARVEST_… variables and harvest.yaml into a plain struct. What is set first wins, so
 * callers apply sources in the order of their strength: argv, environment, file, default.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum opt_type {
    OPT_FLAG,     /* bool */
    OPT_COUNT,    /* int64_t, >= 0 */
    OPT_REAL,     /* double, finite */
    OPT_SIZE,     /* int64_t bytes: 64K, 16M, 1G */
    OPT_DURATION, /* int64_t milliseconds: 500ms, 30, 30s, 10m, 2h, 1d */
    OPT_TEXT,     /* char *, owned */
    OPT_CHOICE,   /* char *, owned, one of `choices` */
    OPT_MAP,      /* char *, owned: a YAML mapping as canonical JSON; files only */
};

enum opt_origin { ORIGIN_NONE, ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV, ORIGIN_ARGV };

struct opt_row {
    const char *name; /* "top-logprobs"; files have top_logprobs, see opt_add_name */
    char letter;      /* 0: none */
    enum opt_type type;
    size_t offset;       /* of the member in the caller's struct */
    const char *arg;     /* shown: "N" */
    const char *choices; /* "retry|hold" */
    const char *range;   /* for numbers: "1..64", "1..", "..64" or NULL */
    const char *value;   /* default as text; NULL: none (zero bytes) */
    const char *help;    /* one line */
    const char *group;   /* heading in --help */
    const char *scopes;  /* " run export config teacher " */
};

/* Where a value came from; one per row, zeroed at the start. line is the file's. */
struct opt_source {
    enum opt_origin origin;
    unsigned line;
};

struct opt_set {
    const struct opt_row *rows;
    size_t n;
    void *values;               /* the struct */
    struct opt_source *sources; /* n of them */
};

/* Names that are words of `scopes`. */
bool opt_in_scope(const struct opt_row *row, const char *scope); /* NULL: always */

/* The row of that name ('_' equals '-') within a scope ("run", "config", …; NULL: any),
 * or NULL. nearest finds the closest spelling in the scope for a suggestion, or NULL. */
const struct opt_row *opt_find(const struct opt_set *set, const char *scope,
                               const char *name);
const char *opt_nearest(const struct opt_set *set, const char *scope, const char *name);

/* Sets one value unless a stronger source has set it; of one source the last wins. The
 * text is checked in any case. Errors (ERR_USAGE) name the option as its source spells
 * it, what was given and what is expected. A map's text is taken as it is. */
int opt_put(const struct opt_set *set, const struct opt_row *row, const char *text,
            enum opt_origin origin, unsigned line, struct err *err);

/* Appends the name as a source spells it: --max-tokens, HARVEST_MAX_TOKENS, max_tokens.
 */
void opt_add_name(struct buf *out, const struct opt_row *row, enum opt_origin origin);

/* Reads argv[1…] of a command: options in any order, `--` ends them, `--no-x` clears a
 * flag, `--x=v` and `--x v`, `-n5`; beginnings of names are not accepted. What is no
 * option is moved to argv[1…] in order and *n_words says how many. */
int opt_argv(const struct opt_set *set, const char *scope, int argc, char **argv,
             int *n_words, struct err *err);
/* Reads HARVEST_… variables of rows that have both `scope` and "env". Empty ones count as
 * not set, for such is how shells and cron clear them. */
int opt_environment(const struct opt_set *set, const char *scope, struct err *err);
int opt_defaults(const struct opt_set *set, struct err *err);
void opt_clear(const struct opt_set *set); /* frees the texts */

bool opt_is_set(const struct opt_set *set, const char *name); /* beyond its default */
