/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/process.h"
#include "harvest/cmd.h"
#include "harvest/help.h"

enum { TEXT_MAX = 1 << 20 };

/* What is printed on standard output counts as delivered only when it left. */
static int flush_output(struct err *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    err_set(err, ERR_STORAGE, "cannot write to standard output");
    return -1;
}

static int print_text(struct buf *text, struct err *err)
{
    fwrite(text->p, 1, text->n, stdout);
    buf_clear(text);
    return flush_output(err);
}

static int print_version(bool json, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    help_add_version(&text, json);
    return print_text(&text, err);
}

static int print_help(const struct command *command, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (command == NULL)
        help_add_overview(&text);
    else
        help_add_command(&text, command);
    return print_text(&text, err);
}

/* One word as a shell would take it back. */
static void add_quoted(struct buf *out, const char *word)
{
    const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "-_./=:,@%+";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        buf_text(out, word);
        return;
    }
    buf_byte(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            buf_text(out, "'\\''");
        else
            buf_byte(out, *word);
    }
    buf_byte(out, '\'');
}

/* The command line as typed, kept with the run. */
static char *join_words(int argc, char **argv)
{
    struct buf line;
    buf_init(&line, TEXT_MAX);
    buf_text(&line, "harvest");
    for (int i = 1; i < argc && !line.overflowed; i++) {
        buf_byte(&line, ' ');
        add_quoted(&line, argv[i]);
    }
    return buf_take(&line);
}

static int refuse_command(const char *name, struct err *err)
{
    if (name[0] == '-') {
        err_set(err, ERR_USAGE, "'%.60s' comes before the command", name);
        return err_fix(err, "options follow the command: harvest run %.60s …", name);
    }
    err_set(err, ERR_USAGE, "'%.60s' is no command of harvest", name);
    const char *near = command_nearest(name);
    if (near != NULL)
        return err_fix(err, "did you mean 'harvest %s'?", near);
    return err_fix(err, "'harvest help' lists the commands");
}

/* harvest help [COMMAND] */
static int run_help(int argc, char **argv, struct err *err)
{
    if (argc < 2)
        return print_help(NULL, err);
    const struct command *command = command_find(argv[1]);
    return command == NULL ? refuse_command(argv[1], err) : print_help(command, err);
}

static int run_command(const struct command *command, int argc, char **argv,
                       struct err *err)
{
    char *line = join_words(argc + 1, argv - 1);
    struct config config;
    struct call call = {.config = &config, .words = argv + 1, .line = line};
    int code = -1;
    if (config_load(&config, command->name, argc, argv, &call.n_words, err) == 0) {
        if (config.help)
            code = print_help(command, err);
        else if (config.version)
            code = print_version(config.json, err);
        else
            code = command->run(&call, err);
        config_clear(&config);
    }
    free(line);
    return flush_output(err) == 0 ? code : -1;
}

static int run(int argc, char **argv, struct err *err)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name == NULL) {
        err_set(err, ERR_USAGE, "a command is missing");
        return err_fix(err, "'harvest help' lists the commands");
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(NULL, err);
    if (strcmp(name, "--version") == 0)
        return print_version(argc > 2 && strcmp(argv[2], "--json") == 0, err);
    if (strcmp(name, "help") == 0)
        return run_help(argc - 1, argv + 1, err);
    const struct command *command = command_find(name);
    return command == NULL ? refuse_command(name, err)
                           : run_command(command, argc - 1, argv + 1, err);
}

/* Asked before the options are read, for errors in the options themselves. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    process_protect();
    struct err err = {0};
    bool json = wants_json(argc, argv);
    int code = run(argc, argv, &err);
    if (err.code != ERR_NONE) {
        err_print(&err, stderr, json);
        return (int)err.code;
    }
    return code < 0 ? ERR_INTERNAL : code;
}
