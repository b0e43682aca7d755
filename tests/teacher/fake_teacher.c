/* SPDX-License-Identifier: MIT */
/* fake_teacher: a teacher for tests and benches, on 127.0.0.1, that keeps its own book.
 *
 * It answers POST /v1/chat/completions (speech.h says with what), GET /v1/models, /health
 * and /book (the counts of book.h), plays a script (script.h says which), enforces limits,
 * and ends by SIGTERM with the counts on standard output. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/teacher/conn.h"

enum { NUMBER_MOST = 1 << 30, PORT_MOST = 65535, SIZE_DEFAULT = 200 };

static const char usage[] =
    "usage: fake_teacher [OPTION]…\n"
    "  --port N             listen on this port; 0: a free one\n"
    "  --host ADDRESS       listen on this address instead of 127.0.0.1\n"
    "  --port-file FILE     write the port into FILE when it is listening\n"
    "  --script FILE        what happens to which request, see tests/teacher/script.h\n"
    "  --kill-pid-file FILE whom the step `kill` kills\n"
    "  --book FILE          append a line for each request\n"
    "  --log-bodies FILE    append each request's head and body as JSON\n"
    "  --model NAME         the model served; again: more of them\n"
    "  --owned-by NAME      owner of the models; vllm, llamacpp: as these answer\n"
    "  --strict-model       other models are unknown (404)\n"
    "  --no-models          there is no /v1/models\n"
    "  --key SECRET         without this bearer token: 401\n"
    "  --rpm N, --rps N     most requests a minute, a second; beyond: 429\n"
    "  --delay MS           before every answer\n"
    "  --size BYTES         length of an answer's text\n"
    "  --vary               no two answers are alike\n"
    "  --body FILE          answer everything with these bytes\n"
    "  --with-parent        end when the process that started this one ends\n";

struct options {
    struct desk_conf desk;
    const char *host, *port_file, *kill_pid_file;
    int64_t port;
    bool with_parent, help;
};

/* ---- the command line ----------------------------------------------------------------- */

enum value { VALUE_NONE, VALUE_TEXT, VALUE_NUMBER, VALUE_MODEL };

struct option_row {
    const char *name;
    enum value value;
    size_t offset;
};

static const struct option_row rows[] = {
    {"port", VALUE_NUMBER, offsetof(struct options, port)},
    {"host", VALUE_TEXT, offsetof(struct options, host)},
    {"port-file", VALUE_TEXT, offsetof(struct options, port_file)},
    {"script", VALUE_TEXT, offsetof(struct options, desk.script)},
    {"kill-pid-file", VALUE_TEXT, offsetof(struct options, kill_pid_file)},
    {"book", VALUE_TEXT, offsetof(struct options, desk.book)},
    {"log-bodies", VALUE_TEXT, offsetof(struct options, desk.log_bodies)},
    {"model", VALUE_MODEL, 0},
    {"owned-by", VALUE_TEXT, offsetof(struct options, desk.owned_by)},
    {"strict-model", VALUE_NONE, offsetof(struct options, desk.strict_model)},
    {"no-models", VALUE_NONE, offsetof(struct options, desk.no_models)},
    {"key", VALUE_TEXT, offsetof(struct options, desk.key)},
    {"rpm", VALUE_NUMBER, offsetof(struct options, desk.rpm)},
    {"rps", VALUE_NUMBER, offsetof(struct options, desk.rps)},
    {"delay", VALUE_NUMBER, offsetof(struct options, desk.delay_ms)},
    {"size", VALUE_NUMBER, offsetof(struct options, desk.size)},
    {"vary", VALUE_NONE, offsetof(struct options, desk.vary)},
    {"body", VALUE_TEXT, offsetof(struct options, desk.body)},
    {"with-parent", VALUE_NONE, offsetof(struct options, with_parent)},
    {"help", VALUE_NONE, offsetof(struct options, help)},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static int set_option(struct options *options, const struct option_row *row,
                      const char *text, struct err *err)
{
    void *member = (char *)options + row->offset;
    char *end;
    switch (row->value) {
    case VALUE_NONE:
        *(bool *)member = true;
        return 0;
    case VALUE_TEXT:
        *(const char **)member = text;
        return 0;
    case VALUE_MODEL:
        if (options->desk.n_models == DESK_MODELS_MAX)
            return err_set(err, ERR_USAGE, "too many models");
        options->desk.models[options->desk.n_models++] = text;
        return 0;
    case VALUE_NUMBER:
        *(int64_t *)member = strtoll(text, &end, 10);
        if (end == text || *end != '\0' || *(int64_t *)member < 0 ||
            *(int64_t *)member > NUMBER_MOST)
            return err_set(err, ERR_USAGE, "--%s: '%s' is no number", row->name, text);
        return 0;
    }
    return 0;
}

static int read_options(int argc, char **argv, struct options *options, struct err *err)
{
    struct option known[ROWS + 1] = {{0}};
    int which = 0, rc;
    for (int i = 0; i < ROWS; i++)
        known[i] =
            (struct option){.name = rows[i].name, .has_arg = rows[i].value != VALUE_NONE};
    while ((rc = getopt_long(argc, argv, "", known, &which)) == 0)
        if (set_option(options, &rows[which], optarg, err) != 0)
            return -1;
    if (rc != -1 || optind != argc)
        return err_set(err, ERR_USAGE, "see fake_teacher --help");
    if (options->port > PORT_MOST)
        return err_set(err, ERR_USAGE, "--port: there are 65535");
    if (options->desk.n_models == 0)
        options->desk.models[options->desk.n_models++] = "fake";
    options->desk.can_kill = options->kill_pid_file != NULL;
    return 0;
}

/* ---- the run -------------------------------------------------------------------------- */

struct stop {
    uv_signal_t term, interrupt;
    struct server *server;
};

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct stop *stop = handle->data;
    uv_close((uv_handle_t *)&stop->term, NULL);
    uv_close((uv_handle_t *)&stop->interrupt, NULL);
    server_close(stop->server);
}

static void watch_signals(struct stop *stop, uv_loop_t *loop)
{
    uv_signal_init(loop, &stop->term);
    uv_signal_init(loop, &stop->interrupt);
    stop->term.data = stop->interrupt.data = stop;
    uv_signal_start_oneshot(&stop->term, on_signal, SIGTERM);
    uv_signal_start_oneshot(&stop->interrupt, on_signal, SIGINT);
}

static int announce(const struct options *options, int port, struct err *err)
{
    printf("listening on %s:%d\n", options->host, port);
    fflush(stdout);
    if (options->port_file == NULL)
        return 0;
    char *text = mem_format("%d\n", port);
    int rc = file_publish(options->port_file, span_of(text), err);
    free(text);
    return rc;
}

static void print_counts(const struct desk *desk)
{
    struct buf counts;
    buf_init(&counts, SIZE_MAX / 2);
    desk_add_counts(desk, &counts);
    printf("%s\n", counts.p);
    buf_clear(&counts);
}

static int serve(const struct options *options, struct err *err)
{
    uv_loop_t loop;
    int port = (int)options->port;
    struct server *server = mem_new(sizeof *server);
    struct stop stop = {.server = server};
    server->loop = &loop;
    server->kill_pid_file = options->kill_pid_file;
    int rc = desk_new(&options->desk, &server->desk, err);
    if (rc == 0) {
        uv_loop_init(&loop);
        watch_signals(&stop, &loop);
        rc = server_listen(server, options->host, &port, err);
        if (rc == 0)
            rc = announce(options, port, err);
        if (rc != 0)
            on_signal(&stop.term, SIGTERM);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        if (rc == 0)
            print_counts(server->desk);
    }
    desk_free(server->desk);
    free(server);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct options options = {.host = "127.0.0.1"};
    options.desk.owned_by = "fake";
    options.desk.size = SIZE_DEFAULT;
    signal(SIGPIPE, SIG_IGN);
    int rc = read_options(argc, argv, &options, &err);
    if (rc == 0 && options.help) {
        fputs(usage, stdout);
        return 0;
    }
    if (rc == 0 && options.with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (rc == 0)
        rc = serve(&options, &err);
    if (rc != 0)
        fprintf(stderr, "fake_teacher: %s%s%s\n", err.what,
                err.where[0] != '\0' ? " at " : "", err.where);
    return rc == 0 ? 0 : 2;
}
