/* SPDX-License-Identifier: MIT */
#include "tests/unit/asker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/statement.h"

static void must(int rc, const struct err *err)
{
    if (rc == 0)
        return;
    err_print(err, stderr, false);
    abort();
}

struct asker *asker_open(const char *path)
{
    struct asker *asker = mem_new(sizeof *asker);
    struct err err = {0};
    const struct teacher_tag tag = {.identity = "smol",
                                    .wire = "openai-chat",
                                    .model = "smol-135m",
                                    .name = "127.0.0.1:8080",
                                    .license = "apache-2.0",
                                    .training = "allowed"};
    must(store_open(path, STORE_CREATE, &asker->store, &err), &err);
    asker_begin(asker);
    must(store_teacher(asker->store, &tag, &asker->teacher, &asker->terms, &err), &err);
    must(store_form(asker->store, SPAN_LITERAL("{\"max_tokens\":64}"),
                    SPAN_LITERAL("Be brief."), &asker->form, &err),
         &err);
    must(store_run_start(asker->store, "harvest run test", 1000, &asker->run, &err),
         &err);
    asker_commit(asker);
    return asker;
}

void asker_close(struct asker *asker)
{
    for (size_t i = 0; i < TODOS; i++)
        arena_clear(&asker->arenas[i]);
    store_close(asker->store);
    free(asker);
}

void asker_begin(struct asker *asker)
{
    struct err err = {0};
    must(store_begin(asker->store, &err), &err);
}

void asker_commit(struct asker *asker)
{
    struct err err = {0};
    must(store_commit(asker->store, &err), &err);
}

/* ---- planning ---- */

struct plan_item asker_item(struct asker *asker, uint64_t number, struct prompt *prompt)
{
    struct arena *arena = &asker->arenas[TODOS - 1]; /* never taken into */
    arena_reset(arena);
    char *text = arena_new(arena, 64);
    int n = snprintf(text, 64, "[{\"content\":\"%llu\",\"role\":\"user\"}]",
                     (unsigned long long)number);
    *prompt = (struct prompt){.messages = {text, (size_t)n}};
    struct plan_item item = {.prompt = prompt,
                             .kind = KIND_CHAT,
                             .teacher = asker->teacher,
                             .form = asker->form,
                             .run = asker->run};
    struct sha256 *sha = sha256_new();
    sha256_add_part(sha, prompt->messages);
    sha256_end(sha, item.prompt_hash);
    sha256_add(sha, "key", 3);
    sha256_add_part(sha, prompt->messages);
    sha256_end(sha, item.key);
    sha256_free(sha);
    return item;
}

struct plan_counts asker_plan(struct asker *asker, uint64_t from, uint64_t to, bool hold)
{
    struct err err = {0};
    struct plan_counts counts = {0};
    asker_begin(asker);
    must(store_plan_start(asker->store, hold, &err), &err);
    for (uint64_t i = from; i < to; i++) {
        struct prompt prompt;
        struct plan_item item = asker_item(asker, i, &prompt);
        must(store_plan(asker->store, &item, &counts, &err), &err);
    }
    asker_commit(asker);
    return counts;
}

static struct todo *next_todo(void *arg, struct arena **arena)
{
    struct asker *asker = arg;
    *arena = &asker->arenas[asker->n];
    arena_reset(*arena);
    return &asker->todos[asker->n++];
}

size_t asker_take(struct asker *asker)
{
    struct err err = {0};
    size_t taken;
    asker->n = 0;
    must(store_take(asker->store, 0, TODOS - 1, next_todo, asker, &taken, &err), &err);
    return taken;
}

/* ---- asking ---- */

int64_t asker_send(struct asker *asker, int64_t request)
{
    struct err err = {0};
    int64_t attempt;
    asker_begin(asker);
    must(store_sent(asker->store, asker->run, request, 2000, &attempt, &err), &err);
    asker_commit(asker);
    return attempt;
}

struct attempt asker_attempt(const struct asker *asker, int64_t request, int64_t attempt,
                             enum outcome outcome)
{
    return (struct attempt){.attempt = attempt,
                            .run = asker->run,
                            .request = request,
                            .teacher = asker->teacher,
                            .terms = asker->terms,
                            .sent_ms = 2000,
                            .ended_ms = 2345,
                            .outcome = outcome,
                            .status = outcome == OUTCOME_ANSWERED ? 200 : 0,
                            .usage = {-1, -1, -1, -1}};
}

static void settle(struct asker *asker, const struct attempt *attempt,
                   struct answer *answer)
{
    struct err err = {0};
    asker_begin(asker);
    must(store_settled(asker->store, attempt, answer, &attempt->request, answer != NULL,
                       &err),
         &err);
    asker_commit(asker);
}

void asker_fail(struct asker *asker, int64_t request, enum outcome outcome,
                enum reason reason, const char *note)
{
    struct attempt attempt =
        asker_attempt(asker, request, asker_send(asker, request), outcome);
    attempt.reason = reason;
    attempt.note = span_of(note);
    attempt.status = reason == REASON_REQUEST ? 400 : 0;
    settle(asker, &attempt, NULL);
}

void asker_answer(struct asker *asker, int64_t request, const char *text,
                  enum finish finish)
{
    struct attempt attempt =
        asker_attempt(asker, request, asker_send(asker, request), OUTCOME_ANSWERED);
    char *body = mem_format("{\"choices\":[{\"message\":{\"content\":\"%s\"}}],"
                            "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}",
                            text);
    attempt.body = span_of(body);
    attempt.usage = (struct usage){3, 5, -1, 1};
    attempt.model = SPAN_LITERAL("smol-135m-q4");
    struct answer answer = {
        .finish = finish,
        .content = {strstr(body, text) - 1, strlen(text) + 2},
        .understood = true,
    };
    settle(asker, &attempt, &answer);
    free(body);
}

struct store_counts asker_count(struct asker *asker)
{
    struct err err = {0};
    struct store_counts counts;
    must(store_count(asker->store, &counts, &err), &err);
    return counts;
}

char *asker_path(void **state)
{
    return mem_format("%s/store.db", (char *)*state);
}

char *asker_sql(struct store *store, const char *literal)
{
    struct err err = {0};
    struct query q = query_start(store, literal);
    bool row;
    must(query_row(&q, &row, &err), &err);
    struct span text = row ? query_get(&q, 0) : span_of("");
    char *copy = mem_format("%.*s", (int)text.n, text.p == NULL ? "" : text.p);
    query_end(&q);
    return copy;
}
