/* SPDX-License-Identifier: MIT */
#include "tests/unit/sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"

enum { TIME_MS = 1700000000, MAX = 64 };

/* What a run holds while it makes the store. */
struct maker {
    struct store *store;
    struct err err;
    struct arena arena;
    int64_t teacher, terms, form, run;
    struct todo todo[MAX];
    size_t n_todo;
};

static void must(const struct maker *maker, int result)
{
    if (result != 0)
        fail_msg("%s %s", maker->err.what, maker->err.why);
}

double sample_logprob(int position, int entry)
{
    return (float)(-0.1 - 0.37 * position - 1.3 * entry);
}

/* ---- planning ---- */

static void make_prompt(struct maker *maker, const struct sample *sample,
                        struct prompt *prompt)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    if (sample->messages != NULL) {
        buf_text(&text, sample->messages);
    } else {
        buf_text(&text, "[{\"content\":");
        json_add_string(&text, span_of(sample->prompt));
        buf_text(&text, ",\"role\":\"user\"}]");
    }
    *prompt = (struct prompt){
        .id = span_of(sample->id),
        .messages = arena_span(&maker->arena, buf_view(&text)),
        .metadata = span_of(sample->metadata),
        .source = "sample",
        .line = 1,
    };
    buf_clear(&text);
}

static void plan(struct maker *maker, const struct sample *sample)
{
    struct prompt prompt;
    struct plan_counts counts = {0};
    make_prompt(maker, sample, &prompt);
    struct plan_item item = {
        .prompt = &prompt,
        .kind = KIND_CHAT,
        .teacher = maker->teacher,
        .form = maker->form,
        .run = maker->run,
        .sample = sample->number,
    };
    struct sha256 *sha = sha256_new();
    sha256_add_part(sha, prompt.messages);
    sha256_end(sha, item.prompt_hash);
    sha256_add_part(sha, span_of(sample->prompt));
    sha256_add_part(sha, (struct span){(const char *)&sample->number, sizeof(int)});
    sha256_end(sha, item.key);
    sha256_free(sha);
    must(maker, store_plan(maker->store, &item, &counts, &maker->err));
}

static struct todo *fill(void *arg, struct arena **arena)
{
    struct maker *maker = arg;
    *arena = &maker->arena;
    assert_true(maker->n_todo < MAX);
    return &maker->todo[maker->n_todo++];
}

/* ---- answering ---- */

static void add_entry(struct buf *body, int position, int entry, double value)
{
    buf_format(body,
               "{\"id\":%d,\"token\":\"t%d.%d\",\"bytes\":[116,%d,46,%d],\"logprob\":",
               100 * position + entry, position, entry, 48 + position, 48 + entry);
    if (isnan(value))
        buf_text(body, "null");
    else
        number_add_f64(body, value);
}

static double value_of(const struct sample *sample, int position, int entry)
{
    bool last = position == sample->positions - 1 && entry == sample->top;
    return last && sample->odd ? NAN : sample_logprob(position, entry);
}

static void add_array(struct buf *body, const struct sample *sample)
{
    buf_byte(body, '[');
    for (int i = 0; i < sample->positions; i++) {
        buf_text(body, i > 0 ? "," : "");
        add_entry(body, i, 0, value_of(sample, i, 0));
        buf_text(body, ",\"top_logprobs\":[");
        for (int j = 1; j <= sample->top; j++) {
            buf_text(body, j > 1 ? "," : "");
            add_entry(body, i, j, value_of(sample, i, j));
            buf_byte(body, '}');
        }
        buf_text(body, "]}");
    }
    buf_byte(body, ']');
}

/* The distributions as a codec would give them. */
static void make_track(struct maker *maker, const struct sample *sample,
                       struct span array, struct track *track)
{
    size_t width = (size_t)sample->top + 1, n = (size_t)sample->positions * width;
    const char *at = array.p;
    *track = (struct track){
        .entries = arena_new(&maker->arena, n * sizeof *track->entries),
        .first = arena_new(&maker->arena, ((size_t)sample->positions + 1) * 4),
        .positions = (uint32_t)sample->positions,
        .style = NUMBER_F32,
        .shape = SHAPE_ID | SHAPE_BYTES | SHAPE_TOP,
        .array = array,
    };
    for (size_t i = 0; i < n; i++) {
        const char *token = strstr(at, "\"token\":\"") + 9;
        const char *bytes = strstr(token, "\"bytes\":") + 8;
        int position = (int)(i / width), entry = (int)(i % width);
        track->entries[i] = (struct logprob){
            .token = {token, (size_t)(strchr(token, '"') - token)},
            .bytes = {bytes, (size_t)(strchr(bytes, ']') + 1 - bytes)},
            .id = 100 * position + entry,
            .value = value_of(sample, position, entry),
        };
        at = bytes;
    }
    for (int i = 0; i <= sample->positions; i++)
        track->first[i] = (uint32_t)(width * (size_t)i);
}

static struct span part(const struct buf *body, size_t from, size_t to)
{
    return to > from ? (struct span){body->p + from, to - from} : (struct span){NULL, 0};
}

static void make_answer(struct maker *maker, const struct sample *sample,
                        struct buf *body, struct answer *answer)
{
    buf_text(body, "{\"choices\":[{\"message\":{\"content\":");
    size_t content = body->n;
    if (sample->answer != NULL)
        buf_format(body, "\"%s\"", sample->answer);
    size_t content_end = body->n;
    buf_text(body, sample->answer == NULL ? "null,\"tool_calls\":" : ",\"tool_calls\":");
    size_t calls = body->n;
    buf_text(body, sample->tool_calls == NULL ? "" : sample->tool_calls);
    size_t calls_end = body->n;
    buf_text(body, sample->tool_calls == NULL ? "null},\"logprobs\":{\"content\":"
                                              : "},\"logprobs\":{\"content\":");
    size_t array = body->n;
    if (sample->positions > 0)
        add_array(body, sample);
    size_t array_end = body->n;
    buf_text(body, sample->positions > 0 ? "}}]}" : "null}}]}");
    *answer = (struct answer){
        .finish = sample->finish,
        .flags = sample->flags,
        .content = part(body, content, content_end),
        .tool_calls = part(body, calls, calls_end),
        .understood = true,
    };
    if (sample->positions > 0)
        make_track(maker, sample, part(body, array, array_end), &answer->tracks[0]);
}

static void settle(struct maker *maker, const struct sample *sample,
                   const struct todo *todo)
{
    struct buf body;
    buf_init(&body, 1 << 24);
    buf_reserve(&body, 1 << 20); /* spans into it must not move */
    struct answer answer;
    bool answered = sample->outcome == OUTCOME_ANSWERED;
    if (answered)
        make_answer(maker, sample, &body, &answer);
    struct attempt attempt = {
        .run = maker->run,
        .request = todo->request,
        .teacher = maker->teacher,
        .terms = maker->terms,
        .sent_ms = TIME_MS,
        .ended_ms = TIME_MS + 1500,
        .outcome = sample->outcome,
        .reason = sample->reason,
        .status = answered                            ? 200
                  : sample->outcome == OUTCOME_FAILED ? 400
                                                      : 0,
        .usage =
            answered ? (struct usage){20, 10, 5, -1} : (struct usage){-1, -1, -1, -1},
        .model = answered ? SPAN_LITERAL("smol-served") : (struct span){NULL, 0},
        .note = span_of(sample->note),
        .body = answered ? buf_view(&body) : (struct span){NULL, 0},
    };
    must(maker, store_sent(maker->store, maker->run, todo->request, TIME_MS,
                           &attempt.attempt, &maker->err));
    must(maker, store_settled(maker->store, &attempt, &answer, &todo->request,
                              answered ? 1 : 0, &maker->err));
    buf_clear(&body);
}

/* ---- the whole ---- */

static void start(struct maker *maker)
{
    const struct teacher_tag tag = {
        .identity = "smol",
        .wire = "openai-chat",
        .model = "smol",
        .name = "127.0.0.1:8080",
        .license = "Apache-2.0",
        .training = "allowed",
    };
    struct store *store = maker->store;
    must(maker, store_teacher(store, &tag, &maker->teacher, &maker->terms, &maker->err));
    must(maker, store_form(store, SPAN_LITERAL("{\"max_tokens\":9}"),
                           SPAN_LITERAL("Be brief."), &maker->form, &maker->err));
    must(maker, store_run_start(store, "harvest run sample.txt", TIME_MS, &maker->run,
                                &maker->err));
    must(maker, store_plan_start(store, false, &maker->err));
}

void sample_add(const char *path, const struct sample *samples, size_t n)
{
    struct maker maker = {0};
    must(&maker, store_open(path, STORE_CREATE, &maker.store, &maker.err));
    must(&maker, store_begin(maker.store, &maker.err));
    start(&maker);
    for (size_t i = 0; i < n; i++)
        plan(&maker, &samples[i]);
    must(&maker, store_commit(maker.store, &maker.err));
    size_t taken;
    must(&maker, store_take(maker.store, 0, MAX, fill, &maker, &taken, &maker.err));
    assert_int_equal(taken, n);
    must(&maker, store_begin(maker.store, &maker.err));
    for (size_t i = 0; i < n; i++)
        if (samples[i].outcome != OUTCOME_NONE)
            settle(&maker, &samples[i], &maker.todo[i]);
    must(&maker, store_run_end(maker.store, maker.run, TIME_MS + 5000, 0, &maker.err));
    must(&maker, store_commit(maker.store, &maker.err));
    arena_clear(&maker.arena);
    store_close(maker.store);
}

void sample_store(const char *path, const struct sample *samples, size_t n)
{
    unlink(path);
    sample_add(path, samples, n);
}

struct store *sample_open(const char *path)
{
    struct err err = {0};
    struct store *store;
    if (store_open(path, STORE_READ, &store, &err) != 0)
        fail_msg("%s", err.what);
    return store;
}
