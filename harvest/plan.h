/* SPDX-License-Identifier: MIT */
/* plan: prompts in, requests that the store does not have an answer to out.
 *
 * The whole set is read and planned before the first request leaves, standard input too:
 * a bad line stops everything before anything is spent. Identical requests collapse here.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "harvest/config.h"
#include "store/store.h"

/* Ids of what a run's requests have in common. */
struct plan_ids {
    int64_t run, teacher, terms, form;
};

struct plan_result {
    struct plan_ids ids;
    struct plan_counts counts;
    char *params;     /* of the form: canonical JSON, owned */
    uint64_t prompts; /* read, invalid ones not counted */
    uint64_t skipped; /* invalid lines left out with --invalid=skip */
};

/* Plans in one transaction of its own; on failure nothing was planned. teacher->model
 * must be known. line is the command line as typed. */
int plan_prompts(struct store *store, const struct config *config,
                 const struct teacher_conf *teacher, const char *const *paths, size_t n,
                 const char *line, struct plan_result *result, struct err *err);
void plan_clear(struct plan_result *result);
