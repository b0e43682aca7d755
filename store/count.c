/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store/private.h"

static uint64_t file_bytes(const char *path, const char *suffix)
{
    char *name = mem_format("%s%s", path, suffix);
    struct stat about;
    uint64_t bytes = stat(name, &about) == 0 ? (uint64_t)about.st_size : 0;
    free(name);
    return bytes;
}

static int count_value(struct query *q, uint64_t *count, struct err *err)
{
    int64_t value;
    if (query_value(q, 0, &value, err) != 0)
        return -1;
    *count = (uint64_t)value;
    return 0;
}

/* The states, by the same rules as the view `requests`. */
static int count_states(struct store *store, struct store_counts *counts, struct err *err)
{
    struct query prompts = query_start(store, "SELECT count(*) FROM prompt");
    struct query requests = query_start(store, "SELECT count(*) FROM request");
    struct query failed =
        query_start(store, "SELECT count(*) FROM failed f WHERE NOT EXISTS"
                           " (SELECT 1 FROM answer WHERE id = f.request)");
    struct query in_flight = query_start(
        store, "SELECT count(*) FROM (SELECT request FROM intent UNION"
               " SELECT s.request FROM serves s JOIN intent USING(attempt)) i"
               " WHERE NOT EXISTS(SELECT 1 FROM answer WHERE id = i.request)"
               " AND NOT EXISTS(SELECT 1 FROM failed f WHERE f.request = i.request)");
    struct query ambiguous = query_start(
        store, "SELECT count(*) FROM ambiguous m WHERE NOT m.allowed"
               " AND NOT EXISTS(SELECT 1 FROM answer WHERE id = m.request)"
               " AND NOT EXISTS(SELECT 1 FROM failed f WHERE f.request = m.request)"
               " AND m.request NOT IN (SELECT request FROM intent UNION ALL"
               "  SELECT s.request FROM serves s JOIN intent USING(attempt))");
    if (count_value(&prompts, &counts->prompts, err) != 0 ||
        count_value(&requests, &counts->requests, err) != 0 ||
        count_value(&failed, &counts->failed, err) != 0 ||
        count_value(&in_flight, &counts->in_flight, err) != 0 ||
        count_value(&ambiguous, &counts->ambiguous, err) != 0)
        return -1;
    return 0;
}

static int count_answers(struct store *store, struct store_counts *counts,
                         struct err *err)
{
    struct query q = query_start(
        store,
        "SELECT count(*), ifnull(sum(finish = ?1), 0), ifnull(sum(flags & ?2 <> 0), 0),"
        " ifnull(sum(flags & ?3 <> 0), 0), ifnull(sum(flags <> 0), 0),"
        " ifnull(sum(tracks <> 0), 0) FROM answer");
    query_int(&q, FINISH_LENGTH);
    query_int(&q, FLAG_REFUSAL);
    query_int(&q, FLAG_EMPTY);
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    counts->answered = (uint64_t)query_get_int(&q, 0);
    counts->truncated = (uint64_t)query_get_int(&q, 1);
    counts->refused = (uint64_t)query_get_int(&q, 2);
    counts->empty = (uint64_t)query_get_int(&q, 3);
    counts->flagged = (uint64_t)query_get_int(&q, 4);
    counts->with_logprobs = (uint64_t)query_get_int(&q, 5);
    query_end(&q);
    return 0;
}

/* Runs keep sums of their attempts: no need to walk over the bodies. */
static int count_attempts(struct store *store, struct store_counts *counts,
                          struct err *err)
{
    struct query q = query_start(
        store, "SELECT ifnull(sum(attempts), 0), ifnull(sum(prompt_tokens), 0),"
               " ifnull(sum(completion_tokens), 0), ifnull(sum(cached_tokens), 0),"
               " ifnull(sum(reasoning_tokens), 0) FROM run");
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    counts->attempts = (uint64_t)query_get_int(&q, 0);
    counts->prompt_tokens = query_get_int(&q, 1);
    counts->completion_tokens = query_get_int(&q, 2);
    counts->cached_tokens = query_get_int(&q, 3);
    counts->reasoning_tokens = query_get_int(&q, 4);
    query_end(&q);
    return 0;
}

int store_count(struct store *store, struct store_counts *counts, struct err *err)
{
    struct store_counts c = {0};
    /* One snapshot: a run may be writing. */
    bool own = !store->in_transaction;
    if (own && store_execute(store, "BEGIN", err) != 0)
        return -1;
    int result = 0;
    if (count_states(store, &c, err) != 0 || count_answers(store, &c, err) != 0 ||
        count_attempts(store, &c, err) != 0)
        result = -1;
    if (own)
        sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    if (result != 0)
        return -1;
    c.planned = c.requests - c.answered - c.failed - c.ambiguous - c.in_flight;
    c.bytes = file_bytes(store->path, "") + file_bytes(store->path, "-wal");
    *counts = c;
    return 0;
}

int store_failures(struct store *store, struct failure_count *rows, size_t max, size_t *n,
                   struct err *err)
{
    struct query q =
        query_start(store, "SELECT m.reason, m.status, count(*), m.note, min(m.id)"
                           " FROM failed f JOIN attempt m ON m.id = f.attempt"
                           " WHERE NOT EXISTS(SELECT 1 FROM answer WHERE id = f.request)"
                           " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?");
    query_int(&q, (int64_t)max);
    size_t found = 0;
    for (;; found++) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row)
            break;
        struct span note = query_get(&q, 3);
        rows[found] = (struct failure_count){
            .reason = (enum reason)query_get_int(&q, 0),
            .status = (int)query_get_int(&q, 1),
            .count = (uint64_t)query_get_int(&q, 2),
        };
        snprintf(rows[found].note, sizeof rows[found].note, "%.*s", (int)note.n,
                 note.p == NULL ? "" : note.p);
    }
    *n = found;
    return 0;
}
