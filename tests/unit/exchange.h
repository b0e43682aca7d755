/* SPDX-License-Identifier: MIT */
/* exchange: replies of several choices with distributions, as a codec hands them to the
 * store, and the checks that everything comes back. */
#pragma once

#include <stdint.h>

#include "tests/unit/asker.h"
#include "tests/unit/tokens.h"

struct exchange {
    struct buf body;
    struct arena arena;
    struct answer answers[8];
    int64_t requests[8];
    size_t n;
};

void exchange_start(struct exchange *r);
/* One choice for a request, with texts on both sides of the lists; specs may be NULL. */
void exchange_choice(struct exchange *r, int64_t request,
                     const struct tokens_spec *content,
                     const struct tokens_spec *refusal);
void exchange_finish(struct exchange *r);
void exchange_end(struct exchange *r);

/* Sends and settles. */
void exchange_settle(struct asker *a, struct exchange *r);

/* What the store gives for each of the requests is what the reply had. */
void exchange_check(struct store *store, const struct exchange *r);
void check_track(const struct track *a, const struct track *b);
void check_json(struct span a, struct span b); /* equal in value */
