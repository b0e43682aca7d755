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

/* Lines as a reader gets them: without their ends (LF or CRLF), BOM dropped, valid UTF-8. */
struct reader_line {
    struct span text;
    uint64_t number; /* from 1 */
    const char *source;
};

struct reader {
    const char *name;     /* "jsonl" */
    const char *suffixes; /* " .jsonl .ndjson " */
    const char *about;
    /* Makes a prompt of a line, in the arena. *skip: the line holds none (it is empty). */
    int (*parse)(const struct reader_line *line, struct arena *arena, struct prompt *prompt,
                 bool *skip, struct err *err);
};

/* Opens files one after the other; "-" is standard input. reader NULL or "auto" picks by
 * suffix, for stdin and unknown suffixes by the first byte that is no white space ('{' is
 * jsonl, else text). All files are opened and checked to be readable before the first
 * prompt is read. skip_invalid leaves bad lines out and counts them. */
int prompts_open(const char *const *paths, size_t n, const char *reader, bool skip_invalid,
                 struct prompts **prompts, struct err *err);
/* *more false at the end. The prompt lives until the next call. An input that held no
 * prompt at all is an error (ERR_USAGE). */
int prompts_next(struct prompts *prompts, struct prompt *prompt, bool *more,
                 struct err *err);
uint64_t prompts_skipped(const struct prompts *prompts); /* invalid lines left out */
void prompts_close(struct prompts *prompts);

/* SHA-256 over canonical messages and params, each as a length-prefixed part: what makes
 * two prompts the same whatever their ids and metadata. */
void prompt_hash(const struct prompt *prompt, unsigned char hash[SHA256_BYTES]);
