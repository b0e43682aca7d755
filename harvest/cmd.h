/* SPDX-License-Identifier: MIT */
/* cmd: one file a command. The comment at its top (name, args, help, prose) is the source
 * of
 * --help, the man page and the completions; Makefile.am's COMMANDS is the registry.
 *
 *   (the SPDX line)
 *   (comment begins) command: run
 *    * args: PROMPTS…
 *    * help: ask teachers; the same command again finishes the job
 *    *
 *    * Prose for the man page; `x` is bold, lines begun by two spaces are literal.
 *    *
 *    * Example: harvest run prompts.txt
 *
 * and below it int cmd_run(const struct call *call, struct err *err). */
#pragma once

#include "base/err.h"
#include "harvest/config.h"

struct call {
    struct config *config;
    int n_words;
    char **words;     /* what is no option */
    const char *line; /* the command line as typed */
};

/* Returns the exit code; an error that was set decides it and is printed by main. */
typedef int command_run(const struct call *call, struct err *err);

struct command {
    const char *name, *args, *help;
    const char *examples; /* one a line; may be empty */
    command_run *run;
};

const struct command *command_find(const char *name); /* NULL: none */
const char *command_nearest(const char *name);        /* NULL: none is near */
const struct command *command_all(size_t *n);
