/* SPDX-License-Identifier: MIT */
#include "store/overview.h"

#include "base/utf8.h"
#include "store/statement.h"

static void keep(char *place, size_t size, struct span text)
{
    if (text.n >= size)
        text.n = size - 1;
    text.n = utf8_valid_prefix(text);
    if (text.n > 0)
        memcpy(place, text.p, text.n);
    place[text.n] = '\0';
}

int store_teachers(struct store *store, struct teacher_row *rows, size_t max, size_t *n,
                   struct err *err)
{
    struct query q =
        query_start(store, "SELECT identity, model, wire, name FROM teacher ORDER BY id");
    for (size_t found = 0;; found++) {
        bool more;
        if (query_row(&q, &more, err) != 0)
            return -1;
        if (!more) {
            *n = found;
            return 0;
        }
        if (found >= max)
            continue;
        keep(rows[found].identity, sizeof rows->identity, query_get(&q, 0));
        keep(rows[found].model, sizeof rows->model, query_get(&q, 1));
        keep(rows[found].wire, sizeof rows->wire, query_get(&q, 2));
        keep(rows[found].name, sizeof rows->name, query_get(&q, 3));
    }
}

int store_last_run(struct store *store, struct run_row *row, struct err *err)
{
    struct query q = query_start(store, "SELECT command, started_ms, ended_ms, exit_code"
                                        " FROM run ORDER BY id DESC LIMIT 1");
    bool more;
    if (query_row(&q, &more, err) != 0)
        return -1;
    *row = (struct run_row){0};
    if (!more)
        return 0;
    keep(row->command, sizeof row->command, query_get(&q, 0));
    row->started_ms = query_get_int(&q, 1);
    row->ended_ms = query_get_or(&q, 2, 0);
    row->exit_code = (int)query_get_or(&q, 3, 0);
    query_end(&q);
    return 0;
}

int store_concern(struct store *store, struct store_concerns *concerns, struct err *err)
{
    struct query doubts = query_start(store, "SELECT count(*) FROM ambiguous");
    struct query truncated = query_start(
        store, "SELECT count(*) FROM answer a JOIN request r ON r.id = a.id"
               " WHERE a.finish = ? AND NOT EXISTS(SELECT 1 FROM request e"
               " WHERE e.base = ifnull(r.base, r.id) AND e.edition > r.edition)");
    query_int(&truncated, FINISH_LENGTH);
    int64_t doubt, cut;
    if (query_value(&doubts, 0, &doubt, err) != 0 ||
        query_value(&truncated, 0, &cut, err) != 0)
        return -1;
    *concerns = (struct store_concerns){(uint64_t)doubt, (uint64_t)cut};
    return 0;
}

int store_state(struct store *store, int64_t request, char state[16], struct err *err)
{
    struct query q = query_start(store, "SELECT state FROM requests WHERE id = ?");
    query_int(&q, request);
    bool more;
    if (query_row(&q, &more, err) != 0)
        return -1;
    if (!more)
        return err_set(err, ERR_USAGE, "no request %lld", (long long)request);
    keep(state, 16, query_get(&q, 0));
    query_end(&q);
    return 0;
}
