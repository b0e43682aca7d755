/* SPDX-License-Identifier: MIT */
/* cmd: one file a command. The comment at its top (name, args, help, prose) is the source of
 * --help, the man page and the completions; Makefile.am's COMMANDS is the registry. */
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
    command_run *run;
};

const struct command *command_find(const char *name); /* NULL: none */
const struct command *command_all(size_t *n);
