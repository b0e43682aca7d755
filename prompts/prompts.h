/* SPDX-License-Identifier: MIT */
/* prompts: prompt sets as a stream of prompts, in bounded memory.
 *
 * A reader is one file and one line in Makefile.am. Bytes are checked (UTF-8, no NUL, at
 * most PROMPT_MAX a line) before anything is spent; errors name file, line and byte. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/record.h"

enum { PROMPT_MAX = 16 << 20 }; /* bytes in one line */

struct prompts;

/* Lines as a reader gets them: without their ends (LF or CRLF), BOM dropped, valid UTF-8
 * without NUL, and not blank. */
struct reader_line {
    struct span text;
    uint64_t number; /* from 1 */
    uint64_t offset; /* of the text in the file */
    const char *source;
};

struct reader {
    const char *name;     /* "jsonl" */
    const char *suffixes; /* " .jsonl .ndjson " */
    const char *about;
    /* Makes a prompt of a line, in the arena; source and line are filled in already. What
     * is wrong with a line is told by reader_refuse. */
    int (*parse)(const struct reader_line *line, struct arena *arena,
                 struct prompt *prompt, struct err *err);
};

/* ERR_USAGE at a byte (from 0) of a line: "file:line:column", counted in bytes from 1. */
int reader_refuse(const struct reader_line *line, size_t byte, struct err *err,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The canonical messages of a prompt that is one text: [{"content":…,"role":"user"}]. */
struct span reader_user_message(struct span text, struct arena *arena);

/* Why a member of params would break the request, and what to use instead; NULL: it is
 * fine. Holds for a teacher stanza's params as well. */
const char *prompt_param_refusal(const char *name);

/* Opens files one after the other; "-" is standard input. reader NULL or "auto" picks by
 * suffix, for stdin and unknown suffixes by the first byte that is no white space ('{' is
 * jsonl, else text, but text is not taken for granted in a .csv or .gz). All files are
 * opened and checked to be readable before the first prompt is read. skip_invalid leaves
 * bad lines out and counts them. */
int prompts_open(const char *const *paths, size_t n, const char *reader,
                 bool skip_invalid, struct prompts **prompts, struct err *err);
/* *more false at the end. The prompt lives until the next call, its source until the set is
 * closed. An input that held no prompt at all is an error (ERR_USAGE). */
int prompts_next(struct prompts *prompts, struct prompt *prompt, bool *more,
                 struct err *err);
uint64_t prompts_skipped(const struct prompts *prompts); /* invalid lines left out */
/* What was wrong with the first of them; NULL when there is none. */
const struct err *prompts_first_skipped(const struct prompts *prompts);
void prompts_close(struct prompts *prompts); /* NULL is fine */

/* SHA-256 over canonical messages and params, each as a length-prefixed part: what makes
 * two prompts the same whatever their ids and metadata. */
void prompt_hash(const struct prompt *prompt, unsigned char hash[SHA256_BYTES]);
