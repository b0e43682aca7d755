/* SPDX-License-Identifier: MIT */
/* asker: a run in miniature for the tests of the store. Everything must succeed: a failure
 * is printed and ends the test. Prompts are known by a number, which is all their text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum { TODOS = 4096 };

struct asker {
    struct store *store;
    int64_t teacher, terms, form, run;
    struct todo todos[TODOS];
    struct arena arenas[TODOS];
    size_t n; /* todos taken */
};

/* Opens (or makes) the store and starts a run in it. To be freed by asker_close. */
struct asker *asker_open(const char *path);
void asker_close(struct asker *asker);

void asker_begin(struct asker *asker);
void asker_commit(struct asker *asker);

/* Makes the item of prompt `number`, with spans that live until the next call. */
struct plan_item asker_item(struct asker *asker, uint64_t number, struct prompt *prompt);
/* Plans prompts from … to - 1 in a transaction of its own. */
struct plan_counts asker_plan(struct asker *asker, uint64_t from, uint64_t to, bool hold);
/* Takes all there is to do into todos. */
size_t asker_take(struct asker *asker);

/* Commits an intent. */
int64_t asker_send(struct asker *asker, int64_t request);
/* An attempt that ended so, with nothing else in it. */
struct attempt asker_attempt(const struct asker *asker, int64_t request, int64_t attempt,
                             enum outcome outcome);
/* Sends and settles without an answer. */
void asker_fail(struct asker *asker, int64_t request, enum outcome outcome,
                enum reason reason, const char *note);
/* Sends and answers with a short body, whose content is the text. */
void asker_answer(struct asker *asker, int64_t request, const char *text,
                  enum finish finish);

struct store_counts asker_count(struct asker *asker);

/* "store.db" in the scratch directory of a test, to be freed. */
char *asker_path(void **state);

/* The first column of the first row as text, to be freed; "" when there is none. */
char *asker_sql(struct store *store, const char *literal);

#define assert_sql(store, literal, expected)                                             \
    do {                                                                                 \
        char *text_ = asker_sql(store, literal);                                         \
        assert_string_equal(text_, expected);                                            \
        free(text_);                                                                     \
    } while (0)
