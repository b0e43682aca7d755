/* SPDX-License-Identifier: MIT */
#include "harvest/cmd.h"

#include <string.h>

#include "base/nearest.h"

#define COMMAND(name, ...) command_run cmd_##name;
#include "harvest/commands.inc"
#undef COMMAND

static const struct command commands[] = {
#define COMMAND(name, args, help, examples) {#name, args, help, examples, cmd_##name},
#include "harvest/commands.inc"
#undef COMMAND
};

const struct command *command_all(size_t *n)
{
    *n = sizeof commands / sizeof commands[0];
    return commands;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

const char *command_nearest(const char *name)
{
    struct nearest near = {.given = name};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        nearest_offer(&near, commands[i].name);
    nearest_offer(&near, "help");
    return near.found;
}
