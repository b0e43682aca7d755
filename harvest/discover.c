/* SPDX-License-Identifier: MIT */
#include "harvest/discover.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/json.h"
#include "base/mem.h"
#include "harvest/teacher.h"
#include "harvest/transport.h"
#include "harvest/user_agent.h"

enum { LOOK_MS = 1500, ASK_MS = 10000, REFUSED_TRIES = 4, FIRST_WAIT_MS = 250 };

static const struct usual {
    int port;
    const char *name;
} usual[] = {
    {8080, "llama.cpp"}, {8000, "vLLM"},      {11434, "Ollama"},
    {30000, "SGLang"},   {1234, "LM Studio"},
};
enum { USUAL = sizeof usual / sizeof usual[0] };

/* The list of models in a reply, or NULL when it has none. */
static json_t *model_list(const struct fetch *fetch, json_t **root)
{
    *root = NULL;
    if (fetch->end != TRANSPORT_WHOLE || fetch->status != 200)
        return NULL;
    *root = json_parse(buf_view(&fetch->body), NULL);
    json_t *data = json_object_get(*root, "data");
    return json_is_array(data) ? data : NULL;
}

static bool lists_models(const struct fetch *fetch)
{
    json_t *root;
    bool lists = json_array_size(model_list(fetch, &root)) > 0;
    json_decref(root);
    return lists;
}

static int nothing_found(struct err *err)
{
    struct buf looked;
    buf_init(&looked, 1024);
    for (size_t i = 0; i < USUAL; i++)
        buf_format(&looked, "%s%s on port %d", i ? ", " : "", usual[i].name,
                   usual[i].port);
    err_set(err, ERR_UNREACHABLE, "no teacher found on this machine");
    err_why(err, "looked on 127.0.0.1 for %s", looked.p);
    err_fix(err,
            "start one (for example: llama-server -m MODEL.gguf --port 8080), or name "
            "yours with --url or in harvest.yaml");
    buf_clear(&looked);
    return -1;
}

int discover_server(struct teacher_conf *teacher, struct console *console,
                    struct err *err)
{
    struct fetch fetches[USUAL] = {0};
    char *urls[USUAL];
    size_t found = USUAL;
    for (size_t i = 0; i < USUAL; i++) {
        urls[i] = mem_format("http://127.0.0.1:%d/v1/models", usual[i].port);
        fetches[i].url = urls[i];
    }
    transport_fetch(fetches, USUAL, USER_AGENT, LOOK_MS);
    for (size_t i = 0; i < USUAL; i++) {
        if (found == USUAL && lists_models(&fetches[i]))
            found = i;
        buf_clear(&fetches[i].body);
        free(urls[i]);
    }
    if (found == USUAL)
        return nothing_found(err);
    teacher->url = mem_format("http://127.0.0.1:%d", usual[found].port);
    console_notice(console, "found a server at %s (the usual port of %s)", teacher->url,
                   usual[found].name);
    return 0;
}

/* ---- one server
 * --------------------------------------------------------------------------- */

static void sleep_ms(int64_t ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
}

/* Patience: a refused connection is tried a few times (the server may be starting), one
 * that says it is loading (503) as long as max_wait_ms. */
static void ask_patiently(const struct teacher_conf *teacher, struct fetch *fetch,
                          struct console *console)
{
    int64_t waited = 0, wait = FIRST_WAIT_MS;
    for (int tries = 1;; tries++) {
        transport_fetch(fetch, 1, USER_AGENT, ASK_MS);
        bool refused = fetch->end == TRANSPORT_UNSENT && tries < REFUSED_TRIES;
        bool loading = fetch->end == TRANSPORT_WHOLE && fetch->status == 503;
        if ((!refused && !loading) || waited + wait > teacher->max_wait_ms)
            return;
        if (loading && tries == 1)
            console_notice(console, "%s is loading its model; waiting", teacher->url);
        buf_clear(&fetch->body);
        sleep_ms(wait);
        waited += wait;
        wait = wait < 4000 ? wait * 2 : wait;
    }
}

static const char *teacher_title(const struct teacher_conf *teacher)
{
    return teacher->name != NULL ? teacher->name : teacher->url;
}

static int no_answer(const struct config *config, const struct teacher_conf *teacher,
                     const struct fetch *fetch, struct err *err)
{
    char where[256];
    config_where(config, teacher, "url", where, sizeof where);
    err_set(err, ERR_UNREACHABLE, "teacher '%s' does not answer at %s",
            teacher_title(teacher), teacher->url);
    err_where(err, "%s", where);
    err_why(err, "%s",
            fetch->status == 503 ? "it is still loading its model (HTTP 503)"
                                 : fetch->message);
    err_safe(err, "nothing was sent");
    return err_fix(err, "start the server, or correct the address, and run the same "
                        "command again");
}

static int refused_key(const struct config *config, const struct teacher_conf *teacher,
                       const struct fetch *fetch, struct err *err)
{
    char where[256];
    bool has_key = teacher->key_file != NULL || teacher->key_env != NULL;
    config_where(config, teacher, teacher->key_env ? "key_env" : "key_file", where,
                 sizeof where);
    err_set(err, ERR_CREDENTIAL, "teacher '%s' %s (HTTP %d)", teacher_title(teacher),
            has_key ? "refused the credential" : "wants a credential", fetch->status);
    if (has_key)
        err_where(err, "%s", where);
    err_why(err, "the teacher said: \"%.*s\"", 300, buf_view(&fetch->body).p);
    err_safe(err, "nothing was sent");
    return err_fix(err, "%s",
                   has_key ? "put a valid key there and run the same command again"
                           : "give its stanza in harvest.yaml a key_file or key_env");
}

static bool is_model(const json_t *entry, const char *model)
{
    const char *id = json_string_value(json_object_get(entry, "id"));
    size_t n = strlen(model);
    if (id == NULL)
        return false;
    if (strcmp(id, model) == 0)
        return true;
    if (strncmp(id, model, n) == 0 && strcmp(id + n, ":latest") == 0) /* Ollama's tag */
        return true;
    size_t i;
    json_t *alias;
    json_array_foreach(json_object_get(entry, "aliases"), i,
                       alias) if (json_is_string(alias) &&
                                  strcmp(json_string_value(alias), model) ==
                                      0) return true;
    return false;
}

static void name_models(const json_t *list, struct buf *names)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (names->n > 300) {
            buf_text(names, ", …");
            return;
        }
        buf_format(names, "%s'%s'", i ? ", " : "", id != NULL ? id : "?");
    }
}

static int choose_model(const json_t *list, struct teacher_conf *teacher, struct err *err)
{
    struct buf names;
    buf_init(&names, 4096);
    name_models(list, &names);
    const char *only = json_string_value(json_object_get(json_array_get(list, 0), "id"));
    int rc = 0;
    if (json_array_size(list) == 1 && only != NULL) {
        teacher->model = mem_str(only);
    } else {
        rc = err_set(err, ERR_USAGE, "%s serves %zu models and none was named",
                     teacher->url, json_array_size(list));
        err_why(err, "it has %s", names.n ? names.p : "none");
        err_fix(err, "name one with --model");
    }
    buf_clear(&names);
    return rc;
}

static int check_model(const struct config *config, const json_t *list,
                       const struct teacher_conf *teacher, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) if (is_model(entry, teacher->model)) return 0;
    char where[256];
    struct buf names;
    buf_init(&names, 4096);
    name_models(list, &names);
    config_where(config, teacher, "model", where, sizeof where);
    err_set(err, ERR_USAGE, "%s does not serve the model '%s'", teacher->url,
            teacher->model);
    err_where(err, "%s", where);
    err_why(err, "it has %s", names.n ? names.p : "none");
    err_safe(err, "nothing was sent");
    err_fix(err, "name one of these with --model");
    buf_clear(&names);
    return -1;
}

static unsigned read_dialect(const json_t *list)
{
    const char *owner =
        json_string_value(json_object_get(json_array_get(list, 0), "owned_by"));
    return owner != NULL && strcmp(owner, "vllm") == 0 ? DIALECT_TOKEN_IDS : 0;
}

static int read_reply(const struct config *config, const struct fetch *fetch,
                      struct teacher_conf *teacher, unsigned *dialect, struct err *err)
{
    if (fetch->end != TRANSPORT_WHOLE || fetch->status == 503)
        return no_answer(config, teacher, fetch, err);
    if (fetch->status == 401 || fetch->status == 403)
        return refused_key(config, teacher, fetch, err);
    json_t *root;
    const json_t *list = model_list(fetch, &root);
    int rc = 0;
    *dialect = read_dialect(list);
    if (json_array_size(list) > 0 && teacher->model != NULL)
        rc = check_model(config, list, teacher, err);
    else if (json_array_size(list) > 0)
        rc = choose_model(list, teacher, err);
    else if (teacher->model == NULL) {
        rc = err_set(err, ERR_USAGE, "%s does not say which models it serves",
                     teacher->url);
        err_why(err, "GET /v1/models gave HTTP %d", fetch->status);
        err_fix(err, "name the model with --model");
    }
    json_decref(root);
    return rc;
}

int discover_model(const struct config *config, struct teacher_conf *teacher,
                   const struct credential *credential, unsigned *dialect,
                   struct console *console, struct err *err)
{
    bool named = teacher->model != NULL;
    char *url = mem_format("%s/v1/models", teacher->url);
    struct fetch fetch = {.url = url, .credential = credential};
    ask_patiently(teacher, &fetch, console);
    int rc = read_reply(config, &fetch, teacher, dialect, err);
    if (rc == 0 && !named)
        console_notice(console, "asking the model it serves: %s", teacher->model);
    buf_clear(&fetch.body);
    free(url);
    return rc;
}
