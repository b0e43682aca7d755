/* SPDX-License-Identifier: MIT */
#include "harvest/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "harvest/key.h"
#include "prompts/prompts.h"

struct planner {
    struct store *store;
    const struct config *config;
    const struct teacher_conf *teacher;
    const char *identity;
    struct span system, form_params;
    struct arena arena; /* of one prompt */
    struct sha256 *sha;
    struct plan_result *result;
};

/* What options say, as an object of the body's members; wins over the stanza's params. */
static int option_params(const struct teacher_conf *teacher, struct arena *arena,
                         struct span *params, struct err *err)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_byte(&text, '{');
    if (teacher->max_tokens > 0)
        buf_format(&text, "\"max_tokens\":%lld,", (long long)teacher->max_tokens);
    if (!isnan(teacher->temperature))
        buf_format(&text, "\"temperature\":%.17g,", teacher->temperature);
    if (teacher->top_logprobs >= 0)
        buf_format(&text, "\"logprobs\":true,\"top_logprobs\":%lld,",
                   (long long)teacher->top_logprobs);
    if (text.p[text.n - 1] == ',')
        text.n--;
    buf_byte(&text, '}');
    int rc = json_canonical(buf_view(&text), arena, params, err);
    buf_clear(&text);
    return rc;
}

static int form_params(const struct teacher_conf *teacher, struct arena *arena,
                       struct span *params, struct err *err)
{
    struct span both[2] = {span_of(teacher->params)};
    if (option_params(teacher, arena, &both[1], err) != 0)
        return -1;
    return json_merge(both, 2, arena, params, err);
}

static int plan_sample(struct planner *planner, struct plan_item *item,
                       struct key_parts *parts, struct err *err)
{
    parts->sample = item->sample;
    key_make(planner->sha, parts, item->key);
    return store_plan(planner->store, item, &planner->result->counts, err);
}

static int plan_prompt(struct planner *planner, const struct prompt *prompt,
                       struct err *err)
{
    const struct plan_ids *ids = &planner->result->ids;
    struct plan_item item = {
        .prompt = prompt,
        .kind = KIND_CHAT,
        .teacher = ids->teacher,
        .form = ids->form,
        .run = ids->run,
    };
    struct key_parts parts = {
        .kind = KIND_CHAT,
        .wire = planner->teacher->wire,
        .identity = planner->identity,
        .system = planner->system,
        .messages = prompt->messages,
        .params = planner->form_params,
    };
    prompt_hash(prompt, item.prompt_hash);
    if (prompt->params.n > 0) {
        const struct span both[] = {planner->form_params, prompt->params};
        if (json_merge(both, 2, &planner->arena, &parts.params, err) != 0)
            return -1;
    }
    for (item.sample = 0; item.sample < planner->config->samples; item.sample++)
        if (plan_sample(planner, &item, &parts, err) != 0)
            return -1;
    return 0;
}

static int read_prompts(struct planner *planner, struct prompts *prompts, struct err *err)
{
    int64_t limit = planner->config->limit;
    struct plan_result *result = planner->result;
    for (;;) {
        struct prompt prompt;
        bool more;
        arena_reset(&planner->arena);
        if (limit > 0 && result->prompts >= (uint64_t)limit)
            break;
        if (prompts_next(prompts, &prompt, &more, err) != 0)
            return -1;
        if (!more)
            break;
        if (plan_prompt(planner, &prompt, err) != 0)
            return -1;
        result->prompts++;
    }
    result->skipped = prompts_skipped(prompts);
    return 0;
}

static int find_ids(struct planner *planner, const char *line, struct err *err)
{
    const struct teacher_conf *teacher = planner->teacher;
    struct plan_ids *ids = &planner->result->ids;
    const struct teacher_tag tag = {
        .identity = planner->identity,
        .wire = teacher->wire,
        .model = teacher->model,
        .name = teacher->name != NULL ? teacher->name : teacher->url,
        .license = teacher->license,
        .terms_url = teacher->terms_url,
        .terms_date = teacher->terms_date,
        .training = teacher->training,
        .basis = teacher->basis,
    };
    if (store_teacher(planner->store, &tag, &ids->teacher, &ids->terms, err) != 0 ||
        store_form(planner->store, planner->form_params, planner->system, &ids->form,
                   err) != 0)
        return -1;
    return store_run_start(planner->store, line, clock_wall_ms(), &ids->run, err);
}

static int plan_all(struct planner *planner, struct prompts *prompts, const char *line,
                    struct err *err)
{
    bool hold = strcmp(planner->config->on_ambiguous, "hold") == 0;
    if (store_begin(planner->store, err) != 0)
        return -1;
    if (find_ids(planner, line, err) != 0 ||
        store_plan_start(planner->store, hold, err) != 0 ||
        read_prompts(planner, prompts, err) != 0 ||
        store_commit(planner->store, err) != 0) {
        store_rollback(planner->store);
        return -1;
    }
    return 0;
}

int plan_prompts(struct store *store, const struct config *config,
                 const struct teacher_conf *teacher, const char *const *paths, size_t n,
                 const char *line, struct plan_result *result, struct err *err)
{
    struct prompts *prompts;
    struct arena arena = {0};
    struct planner planner = {
        .store = store,
        .config = config,
        .teacher = teacher,
        .identity = teacher->identity != NULL ? teacher->identity : teacher->model,
        .system = span_of(teacher->system),
        .result = result,
    };
    *result = (struct plan_result){0};
    if (prompts_open(paths, n, config->input, strcmp(config->invalid, "skip") == 0,
                     &prompts, err) != 0)
        return -1;
    int rc = form_params(teacher, &arena, &planner.form_params, err);
    if (rc == 0) {
        planner.sha = sha256_new();
        rc = plan_all(&planner, prompts, line, err);
        sha256_free(planner.sha);
    }
    if (rc == 0)
        result->params = mem_copy(planner.form_params.p, planner.form_params.n + 1);
    arena_clear(&planner.arena);
    arena_clear(&arena);
    prompts_close(prompts);
    return rc;
}

void plan_clear(struct plan_result *result)
{
    free(result->params);
    result->params = NULL;
}
