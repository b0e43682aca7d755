/* SPDX-License-Identifier: MIT */
/* config: what the user wants, from argv, HARVEST_… variables and harvest.yaml.
 *
 * Members are plain values; each has a stanza in doc/options.txt with the same `field`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"

/* One teacher stanza after resolution: command line over stanza over top level. */
struct teacher_conf {
    char *name;     /* key in `teachers:`; NULL for one given by --url alone */
    unsigned line;  /* of the stanza */
    char *url;      /* scheme://host[:port][/prefix], normalised after config_teacher */
    char *wire;     /* codec name */
    char *model;    /* NULL: the one the server has */
    char *identity; /* NULL: the model */
    char *key_file, *key_env;
    char *params; /* canonical JSON object or NULL */
    char *system;
    int64_t concurrency, rpm, max_tokens, top_logprobs;
    double temperature; /* NaN: not set; top_logprobs -1 and max_tokens 0 likewise */
    int64_t timeout_ms, connect_timeout_ms, max_wait_ms, attempts, max_reply;
    char *license, *terms_url, *terms_date, *training, *basis;
    struct opt_source *sources; /* by row of config_teacher_rows */
};

struct config {
    char *store;
    char *file;    /* --config */
    char *teacher; /* --teacher */
    /* run */
    char *url, *wire, *model, *system;
    int64_t limit, concurrency, rpm, max_tokens, top_logprobs, samples, attempts,
        max_reply;
    double temperature;
    int64_t timeout_ms, connect_timeout_ms, max_wait_ms, drain_ms;
    char *on_ambiguous; /* "retry" or "hold" */
    char *invalid;      /* "fail" or "skip" */
    char *input;        /* "auto", "text", "jsonl" */
    /* export */
    char *output, *format, *prompts;
    int64_t shard_size;
    bool logprobs, keep;
    /* show */
    bool raw;
    /* retry */
    bool failed, ambiguous, truncated;
    /* everywhere */
    bool json, quiet, verbose, help, version;

    struct teacher_conf *teachers; /* stanzas of the file */
    size_t n_teachers;
    struct opt_source *sources; /* by row of config_rows */
};

/* Reads everything for one command. argv[0] is the command's name; words that are no
 * option are left in argv[1] … argv[*n_words]. ./harvest.yaml is read when it is there
 * and no
 * --config is given. Every error is ERR_USAGE with its place, and a nearest key; there is
 * nothing to clear then. With --help or --version, only argv has been read. */
int config_load(struct config *config, const char *command, int argc, char **argv,
                int *n_words, struct err *err);
void config_clear(struct config *config);

/* The teacher to ask: the stanza named by --teacher, the only stanza, or, with several
 * stanzas and --url, or with none at all, one made of everything outside of stanzas (url
 * NULL when not given: the caller looks for a server). What the command line or the
 * environment sets overrides the stanza; the top level of the file fills in. --url
 * together with a stanza that has a key and another origin is refused: a key goes to its
 * stanza's origin only. Empty texts become NULL, url is normalised (see url.h), key_file
 * is a path that can be opened. The result is freed by teacher_conf_clear. */
int config_teacher(const struct config *config, struct teacher_conf *teacher,
                   struct err *err);
void teacher_conf_clear(struct teacher_conf *teacher); /* zeroed is fine */

/* Where a setting came from, for err_where: "harvest.yaml:7, teachers.qwen.key_file",
 * "--url on the command line", "environment variable HARVEST_URL". teacher NULL: a
 * setting outside of stanzas. key NULL names the stanza. What nobody set is placed there
 * too. */
void config_where(const struct config *config, const struct teacher_conf *teacher,
                  const char *key, char *text, size_t size);

/* True when the value came from argv, environment or the file. */
bool config_is_set(const struct config *config, const char *option);

/* All options of commands, and all keys of teacher stanzas. */
const struct opt_row *config_rows(size_t *n);
const struct opt_row *config_teacher_rows(size_t *n);
