/* SPDX-License-Identifier: MIT */
/* config: what the user wants, from argv, HARVEST_… variables and harvest.yaml.
 *
 * Members are plain values; each has a stanza in doc/options.txt with the same `field`. */
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
    char *url;      /* scheme://host[:port][/prefix]; a trailing /v1 is fine */
    char *wire;     /* codec name */
    char *model;    /* NULL: the one the server has */
    char *identity; /* NULL: the model */
    char *key_file, *key_env;
    char *params;   /* canonical JSON object or NULL */
    char *system;
    int64_t concurrency, rpm, max_tokens, top_logprobs;
    double temperature;
    int64_t timeout_ms, connect_timeout_ms, max_wait_ms, attempts, max_reply;
    char *license, *terms_url, *terms_date, *training, *basis;
    struct opt_source *sources; /* by teacher row */
};

struct config {
    char *store;
    char *file;    /* --config */
    char *teacher; /* --teacher */
    /* run */
    char *url, *wire, *model, *system;
    int64_t limit, concurrency, rpm, max_tokens, top_logprobs, samples, attempts, max_reply;
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
    struct opt_source *sources; /* by option row */
};

/* Reads everything for one command. argv[0] is the command's name; words that are no option
 * are left in argv[1] … argv[*n_words]. ./harvest.yaml is read when it is there and no
 * --config is given. Every error is ERR_USAGE with file and line, and a nearest key. */
int config_load(struct config *config, const char *command, int argc, char **argv,
                int *n_words, struct err *err);
void config_clear(struct config *config);

/* The teacher to ask: the stanza named by --teacher, the only stanza, or one made of
 * command-line options alone (url NULL when not given: the caller looks for a server).
 * What the command line or environment sets overrides the stanza. --url together with a
 * stanza that has a key and another origin is refused: a key goes to its stanza's origin
 * only. The result is freed by teacher_conf_clear. */
int config_teacher(const struct config *config, struct teacher_conf *teacher,
                   struct err *err);
void teacher_conf_clear(struct teacher_conf *teacher);

/* "harvest.yaml:7, teachers.qwen.key_file" for err_where; key NULL names the stanza. */
void config_where(const struct config *config, const struct teacher_conf *teacher,
                  const char *key, char *text, size_t size);

/* True when the value came from argv, environment or the file. */
bool config_is_set(const struct config *config, const char *option);
