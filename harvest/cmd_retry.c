/* SPDX-License-Identifier: MIT */
/* command: retry
 * args: --failed | --ambiguous | --truncated
 * help: let requests be asked again
 *
 * Asks nothing itself: the next `harvest run` with the same prompts does.
 *
 * `--failed` returns requests that failed for good to the planned ones. `--ambiguous`
 * releases those whose outcome is unknown, for runs with `--on-ambiguous=hold`; they may
 * be billed a second time. `--truncated` plans a new edition of every answer that was cut
 * off by a token limit; the old answer stays in the store, and exports take the new one
 * as soon as it is there. Several may be given together.
 *
 * Example: harvest retry --failed
 * Example: harvest retry --truncated --ambiguous */

#include <inttypes.h>
#include <stdio.h>

#include "harvest/cmd.h"
#include "harvest/figures.h"
#include "store/overview.h"
#include "store/store.h"

static int nothing_named(const struct call *call, struct err *err)
{
    struct store *store;
    struct store_counts counts;
    struct store_concerns concerns;
    if (call->n_words > 0)
        err_set(err, ERR_USAGE, "retry: '%s' is no option", call->words[0]);
    else
        err_set(err, ERR_USAGE, "retry: what to ask again is missing");
    err_fix(err, "give --failed, --ambiguous or --truncated");
    if (store_open(call->config->store, STORE_READ, &store, NULL) != 0)
        return -1;
    if (store_count(store, &counts, NULL) == 0 &&
        store_concern(store, &concerns, NULL) == 0)
        err_why(err,
                "'%s' has %" PRIu64 " failed, %" PRIu64 " ambiguous and %" PRIu64
                " truncated ones",
                call->config->store, counts.failed, counts.ambiguous, concerns.truncated);
    store_close(store);
    return -1;
}

static void add_line(struct buf *out, bool asked, uint64_t n, const char *what)
{
    if (!asked)
        return;
    figures_add_count(out, n);
    buf_format(out, " %s request%s will be asked again\n", what, n == 1 ? "" : "s");
}

static void print_text(const struct config *config, const struct retry_counts *counts,
                       const struct run_row *last)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    add_line(&out, config->failed, counts->failed, "failed");
    add_line(&out, config->ambiguous, counts->ambiguous, "ambiguous");
    add_line(&out, config->truncated, counts->truncated, "truncated");
    if (counts->failed + counts->ambiguous + counts->truncated > 0) {
        buf_text(&out, "next: ");
        figures_add_run(&out, config, last);
        buf_byte(&out, '\n');
    }
    figures_print(&out);
}

static void print_json(const struct retry_counts *counts)
{
    printf("{\"type\":\"retry\",\"v\":1,\"failed\":%" PRIu64 ",\"ambiguous\":%" PRIu64
           ",\"truncated\":%" PRIu64 "}\n",
           counts->failed, counts->ambiguous, counts->truncated);
}

command_run cmd_retry;

int cmd_retry(const struct call *call, struct err *err)
{
    const struct config *config = call->config;
    unsigned what = (config->failed ? RETRY_FAILED : 0u) |
                    (config->ambiguous ? RETRY_AMBIGUOUS : 0u) |
                    (config->truncated ? RETRY_TRUNCATED : 0u);
    struct store *store;
    struct retry_counts counts = {0};
    struct run_row last;
    if (what == 0 || call->n_words > 0)
        return nothing_named(call, err);
    if (store_open(config->store, STORE_WRITE, &store, err) != 0)
        return -1;
    int result = store_last_run(store, &last, err);
    if (result == 0)
        result = store_retry(store, what, &counts, err);
    store_close(store);
    if (result != 0)
        return -1;
    if (config->json)
        print_json(&counts);
    else if (!config->quiet)
        print_text(config, &counts, &last);
    return 0;
}
