/* SPDX-License-Identifier: MIT */
/* command: show
 * args: KEY
 * help: show one request with its answer and its attempts
 *
 * KEY is the key of a request or the beginning of one, four digits at least, as the rows
 * of a dataset have it; or the id of a prompt. When there are several, they are listed.
 *
 * Shows the prompt, the answer, what is odd about it, every attempt with its outcome, and
 * for each token of the answer its probability with the likeliest alternatives. With
 * `--raw` the teacher's replies are printed as they came; log-probabilities are put back
 * to where they were.
 *
 * Example: harvest show 3f9a1c
 * Example: harvest show --raw q7 */

#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/term.h"
#include "harvest/cmd.h"
#include "harvest/figures.h"
#include "harvest/show.h"

enum { LISTED = 20, DIGITS_MIN = 4 };

static int not_found(const struct call *call, struct err *err)
{
    const char *word = call->words[0];
    err_set(err, ERR_USAGE, "no request has the key or the prompt id '%.100s'", word);
    err_where(err, "%s", call->config->store);
    if (strlen(word) < DIGITS_MIN)
        return err_fix(err, "give at least %d digits of a key, or a whole prompt id",
                       DIGITS_MIN);
    return err_fix(err, "keys are in the rows of a dataset: harvest export -o DIR");
}

/* ---- one ---- */

/* On a terminal foreign bytes are made harmless; into a pipe or a file they go as they
 * are. */
static int print_raw(const struct shown *shown, struct err *err)
{
    bool terminal = isatty(STDOUT_FILENO) != 0;
    size_t printed = 0;
    for (size_t i = 0; i < shown->n_attempts; i++) {
        struct span body = shown->attempts[i].body;
        if (body.n == 0)
            continue;
        if (terminal)
            term_put(stdout, body);
        else
            fwrite(body.p, 1, body.n, stdout);
        if (body.p[body.n - 1] != '\n')
            fputc('\n', stdout);
        printed++;
    }
    if (printed > 0)
        return 0;
    err_set(err, ERR_USAGE, "no reply has come for this request");
    return err_why(err, "it is %s, after %zu attempts", shown->state, shown->n_attempts);
}

static int print_one(struct store *store, const struct config *config, int64_t request,
                     struct err *err)
{
    struct shown shown = {0};
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    int result = shown_load(store, request, &shown, err);
    if (result == 0 && config->raw) {
        result = print_raw(&shown, err);
    } else if (result == 0 && config->json) {
        shown_add_json(&out, &shown);
        fwrite(out.p, 1, out.n, stdout);
    } else if (result == 0) {
        shown_add_text(&out, &shown);
        figures_print(&out);
    }
    buf_clear(&out);
    shown_clear(&shown);
    return result;
}

/* ---- several ---- */

static void add_brief(struct buf *out, const struct shown *shown, bool json)
{
    char key[SHA256_HEX + 1];
    hex_encode(shown->row.key, SHA256_BYTES, key);
    if (!json) {
        buf_format(out, "%.16s  %-10s sample %d  ", key, shown->state, shown->row.sample);
        buf_span(out, shown->row.teacher);
        buf_text(out, "  ");
        buf_span(out, shown->row.prompt_id);
        buf_byte(out, '\n');
        return;
    }
    buf_format(out, "{\"type\":\"match\",\"v\":1,\"key\":\"%s\",\"state\":\"%s\"", key,
               shown->state);
    buf_format(out, ",\"sample\":%d,\"teacher\":", shown->row.sample);
    json_add_string(out, shown->row.teacher);
    buf_text(out, ",\"prompt_id\":");
    json_add_string(out, shown->row.prompt_id);
    buf_text(out, "}\n");
}

static int print_list(struct store *store, const struct config *config,
                      const int64_t *requests, size_t n, struct err *err)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    int result = 0;
    for (size_t i = 0; result == 0 && i < n && i < LISTED; i++) {
        struct shown shown = {0};
        result = shown_load(store, requests[i], &shown, err);
        if (result == 0)
            add_brief(&out, &shown, config->json);
        shown_clear(&shown);
    }
    if (!config->json && n > LISTED) {
        figures_add_count(&out, n - LISTED);
        buf_text(&out, " more; give more digits of the key\n");
    }
    if (config->json)
        fwrite(out.p, 1, out.n, stdout);
    else
        figures_print(&out);
    buf_clear(&out);
    return result;
}

/* ---- finding ---- */

/* How many of the first ones have the word for their prompt's id; those come first. */
static int count_ids(struct store *store, struct span word, const int64_t *requests,
                     size_t n, size_t *ids, struct err *err)
{
    size_t found = 0;
    for (bool same = true; same && found < n; found += same) {
        struct arena arena = {0};
        struct row row;
        bool answered;
        int result = store_row(store, requests[found], &arena, &row, &answered, err);
        same = result == 0 && span_equal(row.prompt_id, word);
        arena_clear(&arena);
        if (result != 0)
            return -1;
    }
    *ids = found;
    return 0;
}

static int show(struct store *store, const struct call *call, struct err *err)
{
    struct span word = span_of(call->words[0]);
    int64_t requests[LISTED];
    size_t n, ids;
    if (store_find(store, word, requests, LISTED, &n, err) != 0 ||
        count_ids(store, word, requests, n < LISTED ? n : LISTED, &ids, err) != 0)
        return -1;
    /* An id says what is meant; few digits of a key do not. */
    if (word.n < DIGITS_MIN || (ids > 0 && ids < LISTED))
        n = ids;
    if (n == 0)
        return not_found(call, err);
    return n == 1 ? print_one(store, call->config, requests[0], err)
                  : print_list(store, call->config, requests, n, err);
}

command_run cmd_show;

int cmd_show(const struct call *call, struct err *err)
{
    struct store *store;
    if (call->n_words != 1) {
        err_set(err, ERR_USAGE, "show: %s",
                call->n_words == 0 ? "no key given" : "more than one key given");
        return err_fix(err, "harvest show KEY; rows of a dataset have keys");
    }
    if (store_open(call->config->store, STORE_READ, &store, err) != 0)
        return -1;
    int result = show(store, call, err);
    store_close(store);
    return result;
}
