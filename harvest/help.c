/* SPDX-License-Identifier: MIT */
#include "harvest/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "harvest/transport_version.h"
#include "store/version.h"

enum { COLUMNS = 80, HELP_COLUMN = 28, COMMAND_COLUMN = 13 };

/* Columns of UTF-8 text; ours has one for each character. */
static size_t count_columns(const char *text, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

static void add_spaces(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_byte(out, ' ');
}

/* Words from column `at` on, broken before COLUMNS and continued at `indent`. */
static void add_wrapped(struct buf *out, const char *text, size_t at, size_t indent)
{
    size_t start = at;
    while (*text != '\0') {
        size_t n = strcspn(text, " "), columns = count_columns(text, n);
        if (at > start && at + 1 + columns > COLUMNS) {
            buf_byte(out, '\n');
            add_spaces(out, indent);
            at = start = indent;
        } else if (at > start) {
            buf_byte(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += columns;
        text += n;
        text += strspn(text, " ");
    }
    buf_byte(out, '\n');
}

/* "What it does [a|b; default: a]" */
static void add_about(struct buf *out, const struct opt_row *row)
{
    buf_text(out, row->help);
    bool has_default = row->value != NULL;
    if (row->choices == NULL && !has_default)
        return;
    buf_text(out, " [");
    if (row->choices != NULL)
        buf_text(out, row->choices);
    if (has_default)
        buf_format(out, "%sdefault: %s", row->choices != NULL ? "; " : "", row->value);
    buf_byte(out, ']');
}

static void add_option(struct buf *out, const struct opt_row *row)
{
    struct buf left, about;
    buf_init(&left, 256);
    buf_init(&about, 1024);
    if (row->letter != 0)
        buf_format(&left, "  -%c, --%s", row->letter, row->name);
    else
        buf_format(&left, "      --%s", row->name);
    if (row->arg != NULL)
        buf_format(&left, "=%s", row->arg);
    add_about(&about, row);
    buf_span(out, buf_view(&left));
    size_t columns = count_columns(left.p, left.n);
    if (columns + 2 > HELP_COLUMN) {
        buf_byte(out, '\n');
        columns = 0;
    }
    add_spaces(out, HELP_COLUMN - columns);
    add_wrapped(out, buf_view(&about).p, HELP_COLUMN, HELP_COLUMN);
    buf_clear(&left);
    buf_clear(&about);
}

/* Options of the command by group, in the order in which groups first appear. */
static void add_options(struct buf *out, const char *command)
{
    size_t n;
    const struct opt_row *rows = config_rows(&n);
    for (size_t i = 0; i < n; i++) {
        bool first = opt_in_scope(&rows[i], command);
        for (size_t j = 0; j < i && first; j++)
            first = !(opt_in_scope(&rows[j], command) &&
                      strcmp(rows[i].group, rows[j].group) == 0);
        if (!first)
            continue;
        buf_format(out, "\n%s:\n", rows[i].group);
        for (size_t j = i; j < n; j++) {
            if (opt_in_scope(&rows[j], command) &&
                strcmp(rows[i].group, rows[j].group) == 0)
                add_option(out, &rows[j]);
        }
    }
}

static void add_examples(struct buf *out, const char *examples)
{
    if (examples[0] == '\0')
        return;
    buf_text(out, "\nExamples:\n");
    while (*examples != '\0') {
        size_t n = strcspn(examples, "\n");
        buf_format(out, "  %.*s\n", (int)n, examples);
        examples += n + (examples[n] == '\n');
    }
}

void help_add_command(struct buf *out, const struct command *command)
{
    buf_format(out, "Usage: harvest %s [OPTION]…%s%s\n\n", command->name,
               command->args[0] == '\0' ? "" : " ", command->args);
    char *sentence =
        mem_format("%c%s.", toupper((unsigned char)command->help[0]), command->help + 1);
    add_wrapped(out, sentence, 0, 0);
    free(sentence);
    add_examples(out, command->examples);
    add_options(out, command->name);
    buf_text(
        out,
        "\nEvery option can also be written as --name VALUE. The manual: man harvest\n");
}

void help_add_overview(struct buf *out)
{
    buf_text(out, "Usage: harvest COMMAND [OPTION]… [ARGUMENT]…\n\n"
                  "Asks teacher models, keeps every answer, publishes training data.\n\n"
                  "Commands:\n");
    size_t n;
    const struct command *commands = command_all(&n);
    for (size_t i = 0; i < n; i++) {
        size_t columns = strlen(commands[i].name) + 2;
        buf_format(out, "  %s", commands[i].name);
        add_spaces(out, columns < COMMAND_COLUMN ? COMMAND_COLUMN - columns : 1);
        add_wrapped(out, commands[i].help, COMMAND_COLUMN, COMMAND_COLUMN);
    }
    buf_text(out, "  help       show help on a command\n\n"
                  "Options:\n"
                  "  -h, --help     show help; harvest COMMAND --help for one command\n"
                  "      --version  show the version and those of the libraries\n");
}

/* "0.8.1" for 801 */
static void add_number(struct buf *out, unsigned version)
{
    buf_format(out, "%u.%u.%u", version / 10000, version / 100 % 100, version % 100);
}

void help_add_version(struct buf *out, bool json)
{
    struct buf xxhash;
    buf_init(&xxhash, 64);
    add_number(&xxhash, hash_xxhash_version());
    const struct {
        const char *name, *version;
    } parts[] = {
        {"curl", transport_curl_version()}, {"jansson", jansson_version_str()},
        {"libuv", transport_uv_version()},  {"libyaml", yaml_library_version()},
        {"OpenSSL", hash_crypto_version()}, {"SQLite", store_sqlite_version()},
        {"xxHash", buf_view(&xxhash).p},    {"zstd", store_zstd_version()},
    };
    buf_text(out, json ? "{\"type\":\"version\",\"harvest\":\"" PACKAGE_VERSION
                         "\",\"libraries\":{"
                       : "harvest " PACKAGE_VERSION "\n");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buf_format(out, json ? "%s\"%s\":\"%s\"" : "%s  %-8s %s\n",
                   json && i > 0 ? "," : "", parts[i].name, parts[i].version);
    buf_text(out, json ? "}}\n" : "");
    buf_clear(&xxhash);
}
