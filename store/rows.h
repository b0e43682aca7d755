/* SPDX-License-Identifier: MIT */
/* rows: a request with all that is known of it, as struct row. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/statement.h"
#include "store/store.h"

/* What is selected, over the tables r (request), p, f, t, a (answer), m (attempt), l. */
#define ROW_COLUMNS                                                                      \
    "r.id, r.key, p.hash, p.prompt_id, p.messages, p.params, p.metadata, f.system,"      \
    " f.params, t.identity, t.wire, t.model, r.kind, r.sample, r.edition, a.attempt,"    \
    " a.finish, a.flags, a.spans, m.prompt_tokens, m.completion_tokens, "                \
    "m.cached_tokens,"                                                                   \
    " m.reasoning_tokens, (SELECT text FROM name WHERE id = m.model), l.licence,"        \
    " l.training, m.limits, m.dict, m.body"

/* The joins behind `FROM request r … answer a ON a.id = r.id`. */
#define ROW_JOINS                                                                        \
    " LEFT JOIN attempt m ON m.id = a.attempt"                                           \
    " JOIN prompt p ON p.id = r.prompt JOIN form f ON f.id = r.form"                     \
    " JOIN teacher t ON t.id = ifnull(m.teacher, r.teacher)"                             \
    " LEFT JOIN terms l ON l.id = m.terms"

/* Where the texts of one row lie that are not the statement's own. */
struct row_space {
    struct buf messages, payload;
    char prompt_id[17];
};

void row_space_init(struct row_space *space);
void row_space_clear(struct row_space *space);

/* Reads the query's current row. Spans live until its next step or that of the space. */
int row_read(const struct query *q, struct row_space *space, struct row *row,
             bool *answered, struct err *err);
