/* SPDX-License-Identifier: MIT */
#include "tests/teacher/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/teacher/book.h"
#include "tests/teacher/question.h"
#include "tests/teacher/script.h"
#include "tests/teacher/speech.h"
#include "tests/teacher/window.h"

enum { FILE_MOST = 256 << 20, SECOND_US = 1000000 };

struct desk {
    struct desk_conf conf;
    struct speech speech;
    struct arena arena; /* of the script */
    struct buf script_text;
    struct script script;
    struct buf *bodies; /* by line of the script; empty without body=FILE */
    struct book *book;
    struct window second, minute; /* requests that were let in */
    struct plan canned;           /* the whole reply for --body */
    int log;                      /* -1: none */
    struct arena scratch;
    struct buf text; /* of the body being made */
    struct buf authorization;
};

/* ---- making it ------------------------------------------------------------------------ */

/* Beside the script, unless the name is absolute. */
static char *path_beside(const char *script, struct span name)
{
    const char *slash = strrchr(script, '/');
    int folder = slash == NULL || name.p[0] == '/' ? 0 : (int)(slash - script) + 1;
    return mem_format("%.*s%.*s", folder, script, (int)name.n, name.p);
}

static int check_step(struct desk *desk, size_t line, struct err *err)
{
    const struct step *step = script_step(&desk->script, line);
    const char *file = desk->conf.script;
    if (step->kind == STEP_REFUSE) {
        err_set(err, ERR_USAGE,
                "'refuse' is for replays: a request that arrived was not");
        return err_where(err, "%s:%u", file, step->line);
    }
    if (step->kind == STEP_KILL && !desk->conf.can_kill) {
        err_set(err, ERR_USAGE, "'kill' needs --kill-pid-file");
        return err_where(err, "%s:%u", file, step->line);
    }
    buf_init(&desk->bodies[line], FILE_MOST);
    if (step->body.p == NULL)
        return 0;
    char *path = path_beside(file, step->body);
    int rc = file_read(path, FILE_MOST, &desk->bodies[line], err);
    free(path);
    return rc == 0 ? 0 : err_where(err, "%s:%u", file, step->line);
}

static int load_script(struct desk *desk, struct err *err)
{
    const char *path = desk->conf.script;
    if (path == NULL)
        return 0;
    if (file_read(path, FILE_MOST, &desk->script_text, err) != 0 ||
        script_parse(buf_view(&desk->script_text), path, &desk->arena, &desk->script,
                     err) != 0)
        return -1;
    desk->bodies = mem_array(desk->script.n, sizeof *desk->bodies);
    for (size_t i = 0; i < desk->script.n; i++)
        if (check_step(desk, i, err) != 0)
            return -1;
    return 0;
}

static int load_body(struct desk *desk, struct err *err)
{
    struct buf body;
    if (desk->conf.body == NULL)
        return 0;
    buf_init(&body, FILE_MOST);
    if (file_read(desk->conf.body, FILE_MOST, &body, err) != 0)
        return -1;
    response_say(&desk->canned, 200, buf_view(&body), NULL, true);
    buf_clear(&body);
    return 0;
}

static int open_log(struct desk *desk, struct err *err)
{
    const char *path = desk->conf.log_bodies;
    desk->log =
        path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (path != NULL && desk->log < 0)
        return file_error(err, "open", path, errno);
    return 0;
}

int desk_new(const struct desk_conf *conf, struct desk **desk, struct err *err)
{
    struct desk *made = mem_new(sizeof *made);
    made->conf = *conf;
    made->log = -1;
    made->speech = (struct speech){.model = conf->models[0], .size = (size_t)conf->size};
    made->speech.server = strcmp(conf->owned_by, "vllm") == 0       ? SERVER_VLLM
                          : strcmp(conf->owned_by, "llamacpp") == 0 ? SERVER_LLAMACPP
                                                                    : SERVER_OPENAI;
    made->second.bin_us = SECOND_US / WINDOW_BINS;
    made->minute.bin_us = 60 * (uint64_t)SECOND_US / WINDOW_BINS;
    buf_init(&made->script_text, FILE_MOST);
    plan_init(&made->canned);
    buf_init(&made->text, SIZE_MAX / 2);
    buf_init(&made->authorization, HTTP_HEAD_MAX);
    if (conf->key != NULL)
        buf_format(&made->authorization, "Bearer %s", conf->key);
    if (load_script(made, err) != 0 || load_body(made, err) != 0 ||
        open_log(made, err) != 0 || book_open(conf->book, &made->book, err) != 0) {
        desk_free(made);
        return -1;
    }
    *desk = made;
    return 0;
}

void desk_free(struct desk *desk)
{
    if (desk == NULL)
        return;
    for (size_t i = 0; desk->bodies != NULL && i < desk->script.n; i++)
        buf_clear(&desk->bodies[i]);
    free(desk->bodies);
    book_close(desk->book);
    if (desk->log >= 0)
        close(desk->log);
    buf_clear(&desk->script_text);
    plan_clear(&desk->canned);
    buf_clear(&desk->text);
    buf_clear(&desk->authorization);
    arena_clear(&desk->arena);
    arena_clear(&desk->scratch);
    free(desk);
}

void desk_leave(struct desk *desk, bool abandoned)
{
    book_leave(desk->book, abandoned);
}

void desk_add_counts(const struct desk *desk, struct buf *out)
{
    book_add_counts(desk->book, out);
}

/* ---- answering ------------------------------------------------------------------------ */

/* One request on its way through the desk. */
struct visit {
    struct desk *desk;
    const struct http_request *request;
    const struct step *step; /* NULL: not a chat completion */
    uint64_t number, now_us;
    struct question question;
    struct plan *plan;
};

static void say(struct visit *visit, int status, struct span body,
                const struct step *step)
{
    response_say(visit->plan, status, body, step, visit->request->keep_alive);
}

static void say_error(struct visit *visit, int status, const char *code,
                      const char *words, const struct step *step)
{
    const char *type = status == 429   ? "requests"
                       : status >= 500 ? "server_error"
                                       : "invalid_request_error";
    buf_reset(&visit->desk->text);
    speech_add_error(&visit->desk->text, type, code, span_of(words));
    say(visit, status, buf_view(&visit->desk->text), step);
}

static bool has_key(const struct visit *visit)
{
    return visit->desk->conf.key == NULL ||
           span_equal(http_header(visit->request, "authorization"),
                      buf_view(&visit->desk->authorization));
}

static bool knows_model(const struct visit *visit)
{
    const struct desk_conf *conf = &visit->desk->conf;
    if (!conf->strict_model)
        return true;
    for (size_t i = 0; i < conf->n_models; i++)
        if (span_is(visit->question.model, conf->models[i]))
            return true;
    return false;
}

/* Says 429 when the teacher's own limit is reached; else the request counts against it. */
static bool is_over_limit(struct visit *visit)
{
    struct desk *desk = visit->desk;
    bool minute = desk->conf.rpm > 0 &&
                  window_total(&desk->minute, visit->now_us) >= (uint64_t)desk->conf.rpm;
    bool second = desk->conf.rps > 0 &&
                  window_total(&desk->second, visit->now_us) >= (uint64_t)desk->conf.rps;
    if (!minute && !second) {
        window_add(&desk->minute, visit->now_us);
        window_add(&desk->second, visit->now_us);
        return false;
    }
    char seconds[24];
    struct window *window = minute ? &desk->minute : &desk->second;
    uint64_t wait = (window_relief(window, visit->now_us) + SECOND_US - 1) / SECOND_US;
    snprintf(seconds, sizeof seconds, "%u", (unsigned)wait);
    const struct step told = {.status = 429, .retry_after = span_of(seconds)};
    say_error(visit, 429, "rate_limit_exceeded", "Rate limit reached", &told);
    return true;
}

/* What stands in the way of an answer, said; false: nothing does. */
static bool object(struct visit *visit)
{
    const char *wrong;
    struct question *question = &visit->question;
    if (!has_key(visit)) {
        say_error(visit, 401, "invalid_api_key", "Incorrect API key provided", NULL);
        return true;
    }
    if (is_over_limit(visit))
        return true;
    if (visit->desk->conf.body != NULL)
        return false;
    if (question_parse(visit->request->body, &visit->desk->scratch, question, &wrong) !=
        0) {
        say_error(visit, 400, NULL, wrong, NULL);
        return true;
    }
    if (!knows_model(visit)) {
        say_error(visit, 404, "model_not_found", "The model does not exist", NULL);
        return true;
    }
    return false;
}

static struct span body_of_step(const struct visit *visit)
{
    const struct desk *desk = visit->desk;
    for (size_t i = 0; i < desk->script.n; i++)
        if (script_step(&desk->script, i) == visit->step && visit->step->body.p != NULL) {
            struct span body = buf_view(&desk->bodies[i]);
            return body.p != NULL ? body : SPAN_LITERAL("");
        }
    return (struct span){NULL, 0};
}

static void say_step_error(struct visit *visit)
{
    const struct step *step = visit->step;
    char words[64];
    snprintf(words, sizeof words, "the script says %d", step->status);
    struct span message = step->message.p != NULL ? step->message : span_of(words);
    buf_reset(&visit->desk->text);
    speech_add_error(&visit->desk->text,
                     step->status >= 500 ? "server_error" : "requests", NULL, message);
    say(visit, step->status, buf_view(&visit->desk->text), step);
}

static void say_answer(struct visit *visit)
{
    struct desk *desk = visit->desk;
    struct plan *plan = visit->plan;
    struct span body = body_of_step(visit);
    if (body.p != NULL) {
        say(visit, visit->step->status, body, visit->step);
    } else if (desk->conf.body != NULL && visit->step->line == 0) {
        plan->status = desk->canned.status;
        plan->head = desk->canned.head;
        plan->bytes = desk->canned.bytes;
    } else if (desk->conf.body != NULL) {
        size_t head = desk->canned.head;
        struct span canned = desk->canned.bytes;
        say(visit, visit->step->status, (struct span){canned.p + head, canned.n - head},
            visit->step);
    } else {
        buf_reset(&desk->text);
        speech_add(&desk->speech, &visit->question, visit->number,
                   desk->conf.vary ? visit->number : 0, &desk->text);
        say(visit, visit->step->status, buf_view(&desk->text), visit->step);
    }
}

/* One line a request: {"n": …, "headers": {…}, "body": "…"}. */
static void log_body(struct visit *visit)
{
    struct buf line;
    buf_init(&line, SIZE_MAX / 2);
    buf_format(&line, "{\"n\": %ju, \"head\": ", (uintmax_t)visit->number);
    json_add_string(&line, visit->request->head);
    buf_text(&line, ", \"body\": ");
    json_add_string(&line, visit->request->body);
    buf_text(&line, "}\n");
    if (write(visit->desk->log, line.p, line.n) != (ssize_t)line.n)
        abort(); /* as with the book: a test must not believe half of it */
    buf_clear(&line);
}

/* An answer is billed, and what only looks like the beginning of one as well. */
static void enter(struct visit *visit, uint64_t connection, bool objected)
{
    const struct step *step = visit->step;
    const struct plan *plan = visit->plan;
    struct book_entry entry = {
        .at_us = visit->now_us,
        .hash = visit->question.hash,
        .status = plan->status,
        .billed = plan->status / 100 == 2,
        .bytes = plan->stop + plan->repeat * plan->filler.n,
        .connection = connection,
        .step = objected ? 0 : step->line,
    };
    book_write(visit->desk->book, visit->number, &entry);
}

static void say_step(struct visit *visit)
{
    const struct step *step = visit->step;
    if (step->kind == STEP_BOMB) {
        response_bomb(visit->plan, step);
        return;
    }
    if (step->kind == STEP_REPLY && step->status / 100 != 2 && step->body.p == NULL)
        say_step_error(visit);
    else
        say_answer(visit);
    response_shape(visit->plan, step, visit->request->keep_alive);
}

static void take_chat(struct visit *visit, uint64_t connection)
{
    struct desk *desk = visit->desk;
    visit->number = book_arrive(desk->book, visit->now_us);
    visit->step = script_find(&desk->script, visit->number);
    visit->question.hash = hash64(visit->request->body.p, visit->request->body.n);
    bool objected = object(visit);
    if (!objected)
        say_step(visit);
    visit->plan->in_flight = true;
    enter(visit, connection, objected);
    if (desk->log >= 0)
        log_body(visit);
}

static void say_models(struct visit *visit)
{
    const struct desk_conf *conf = &visit->desk->conf;
    if (conf->no_models) {
        say_error(visit, 404, NULL, "Not Found", NULL);
    } else if (!has_key(visit)) {
        say_error(visit, 401, "invalid_api_key", "Incorrect API key provided", NULL);
    } else {
        buf_reset(&visit->desk->text);
        speech_add_models(&visit->desk->text, conf->models, conf->n_models,
                          conf->owned_by);
        say(visit, 200, buf_view(&visit->desk->text), NULL);
    }
}

static void say_counts(struct visit *visit)
{
    buf_reset(&visit->desk->text);
    book_add_counts(visit->desk->book, &visit->desk->text);
    say(visit, 200, buf_view(&visit->desk->text), NULL);
}

void desk_answer(struct desk *desk, const struct http_request *request,
                 uint64_t connection, uint64_t now_us, struct plan *plan)
{
    struct visit visit = {.desk = desk, .request = request, .now_us = now_us};
    visit.plan = plan;
    bool get = span_is(request->method, "GET"), post = span_is(request->method, "POST");
    if (!(get && span_is(request->target, "/book")))
        book_hit(desk->book);
    arena_reset(&desk->scratch);
    if (post && span_is(request->target, "/v1/chat/completions"))
        take_chat(&visit, connection);
    else if (get && span_is(request->target, "/v1/models"))
        say_models(&visit);
    else if (get && span_is(request->target, "/health"))
        say(&visit, 200, SPAN_LITERAL("{\"status\":\"ok\"}"), NULL);
    else if (get && span_is(request->target, "/book"))
        say_counts(&visit);
    else
        say_error(&visit, 404, NULL, "Not Found", NULL);
    plan->delay_ms += plan->in_flight ? desk->conf.delay_ms : 0;
}

void desk_reject(struct desk *desk, int status, struct plan *plan)
{
    const struct http_request none = {.keep_alive = false};
    struct visit visit = {.desk = desk, .request = &none, .plan = plan};
    book_hit(desk->book);
    say_error(&visit, status, NULL, "this is no request", NULL);
}
