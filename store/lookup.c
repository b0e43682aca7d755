/* SPDX-License-Identifier: MIT */
/* Single requests: finding them, everything about one, its attempts. */
#include <assert.h>
#include <string.h>

#include "store/dictionary.h"
#include "store/layout.h"
#include "store/pack.h"
#include "store/private.h"
#include "store/rows.h"
#include "store/tracks.h"

/* ---- finding ---- */

/* The smallest and the largest digest that begin with the digits. */
static bool digest_range(struct span digits, unsigned char low[SHA256_BYTES],
                         unsigned char high[SHA256_BYTES])
{
    char text[SHA256_HEX];
    if (digits.n == 0 || digits.n > SHA256_HEX)
        return false;
    memcpy(text, digits.p, digits.n);
    memset(text + digits.n, '0', SHA256_HEX - digits.n);
    if (hex_decode((struct span){text, SHA256_HEX}, low, SHA256_BYTES) != 0)
        return false;
    memset(text + digits.n, 'f', SHA256_HEX - digits.n);
    return hex_decode((struct span){text, SHA256_HEX}, high, SHA256_BYTES) == 0;
}

/* Prompts without an id go by the first 16 digits of their hash. A prompt's id comes
 * before keys: ids that are numbers are beginnings of many keys. */
#define FIND                                                                             \
    "SELECT id FROM (SELECT r.id, 0 AS rank FROM request r WHERE r.prompt IN"            \
    " (SELECT id FROM prompt WHERE prompt_id = ?1"                                       \
    "  UNION SELECT id FROM prompt WHERE prompt_id IS NULL AND length(?1) = 16"          \
    "  AND hash BETWEEN ?2 AND ?3)"                                                      \
    " UNION ALL SELECT id, 1 FROM request WHERE key BETWEEN ?2 AND ?3)"                  \
    " GROUP BY id ORDER BY min(rank), id"

int store_find(struct store *store, struct span key_or_id, int64_t *requests, size_t max,
               size_t *n, struct err *err)
{
    unsigned char low[SHA256_BYTES], high[SHA256_BYTES];
    struct span absent = {NULL, 0};
    bool digits = digest_range(key_or_id, low, high);
    struct query q = query_start(store, FIND);
    query_text(&q, key_or_id);
    query_blob(&q, digits ? (struct span){(char *)low, sizeof low} : absent);
    query_blob(&q, digits ? (struct span){(char *)high, sizeof high} : absent);
    size_t found = 0;
    for (;; found++) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row)
            break;
        if (found < max)
            requests[found] = query_get_int(&q, 0);
    }
    *n = found;
    return 0;
}

/* ---- one request ---- */

static void keep_row(struct row *row, struct arena *arena)
{
    struct span *const spans[] = {
        &row->prompt_id,    &row->messages,    &row->params,  &row->metadata,
        &row->system,       &row->teacher,     &row->wire,    &row->model_asked,
        &row->model_served, &row->form_params, &row->content, &row->reasoning,
        &row->refusal,      &row->tool_calls,  &row->license, &row->training,
    };
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        *spans[i] = arena_span(arena, *spans[i]);
}

int store_row(struct store *store, int64_t request, struct arena *arena, struct row *row,
              bool *answered, struct err *err)
{
    struct query q =
        query_start(store, "SELECT " ROW_COLUMNS
                           " FROM request r LEFT JOIN answer a ON a.id = r.id" ROW_JOINS
                           " WHERE r.id = ?");
    query_int(&q, request);
    bool more;
    if (query_row(&q, &more, err) != 0)
        return -1;
    if (!more)
        return err_set(err, ERR_USAGE, "no request %lld in '%s'", (long long)request,
                       store->path);
    struct row_space space;
    struct row found;
    row_space_init(&space);
    int result = row_read(&q, &space, &found, answered, err);
    if (result == 0) {
        keep_row(&found, arena);
        *row = found;
    }
    query_end(&q);
    row_space_clear(&space);
    return result;
}

int store_tracks(struct store *store, int64_t request, struct arena *arena,
                 struct track *tracks, struct err *err)
{
    for (int i = 0; i < TRACKS; i++)
        if (track_get(store, request, i, arena, &tracks[i], err) != 0)
            return -1;
    return 0;
}

/* ---- attempts ---- */

/* Appends the reply: the stored body with the arrays of its cuts written in again. */
static int restore(struct store *store, const struct attempt *attempt, struct span body,
                   struct span cuts, struct buf *out, struct err *err)
{
    struct arena arena = {0};
    struct cut cut = {0};
    size_t from = 0;
    int result = 0;
    for (size_t at = 0; at < cuts.n && result == 0;) {
        struct track track;
        if (!layout_read_cut(cuts, &at, attempt->request, &cut) || cut.from < from ||
            cut.from > body.n) {
            result = store_damaged(store, "attempt", attempt->attempt, err);
            break;
        }
        buf_add(out, body.p + from, cut.from - from);
        from = cut.from;
        result = track_get(store, cut.request, cut.track, &arena, &track, err);
        if (result == 0)
            track_add_json(&track, out);
    }
    if (result == 0)
        buf_add(out, body.p + from, body.n - from);
    arena_clear(&arena);
    return result;
}

enum attempt_column { BODY_SIZE = 16, BODY_LIMITS, BODY_CUTS, BODY_DICT, BODY_BLOB };

static int read_body(struct query *q, struct attempt *attempt, struct arena *arena,
                     struct err *err)
{
    struct store *store = q->store;
    struct span blob = query_get(q, BODY_BLOB);
    int64_t size = query_get_or(q, BODY_SIZE, -1), limits = query_get_int(q, BODY_LIMITS);
    struct buf *payload = &store->payload;
    buf_reset(payload);
    if (blob.p != NULL &&
        body_unpack(store, attempt->attempt, query_get_or(q, BODY_DICT, 0), blob, payload,
                    err) != 0)
        return -1;
    int64_t n = (int64_t)payload->n;
    if (limits < 0 || limits > n || size < -1 || size > n - limits)
        return store_damaged(store, "attempt", attempt->attempt, err);
    if (limits > 0)
        attempt->limits =
            arena_span(arena, (struct span){buf_view(payload).p, (size_t)limits});
    if (size < 0)
        return 0;
    struct span body = {buf_view(payload).p + limits, (size_t)size};
    struct buf whole;
    buf_init(&whole, BODY_MAX);
    int result = restore(store, attempt, body, query_get(q, BODY_CUTS), &whole, err);
    attempt->body = arena_span(arena, buf_view(&whole));
    buf_clear(&whole);
    return result;
}

static int read_attempt(struct query *q, struct attempt *attempt, struct arena *arena,
                        struct err *err)
{
    *attempt = (struct attempt){
        .attempt = query_get_int(q, 0),
        .run = query_get_int(q, 1),
        .request = query_get_int(q, 2),
        .teacher = query_get_int(q, 3),
        .terms = query_get_or(q, 4, 0),
        .sent_ms = query_get_int(q, 5),
        .ended_ms = query_get_int(q, 5) + query_get_int(q, 6),
        .outcome = (enum outcome)query_get_int(q, 7),
        .reason = (enum reason)query_get_int(q, 8),
        .status = (int)query_get_int(q, 9),
        .curl_code = (int)query_get_int(q, 10),
        .usage = {query_get_or(q, 21, -1), query_get_or(q, 22, -1),
                  query_get_or(q, 23, -1), query_get_or(q, 24, -1)},
        .request_id = arena_span(arena, query_get(q, 11)),
        .note = arena_span(arena, query_get(q, 12)),
        .model = arena_span(arena, query_get(q, 13)),
        .fingerprint = arena_span(arena, query_get(q, 14)),
    };
    return read_body(q, attempt, arena, err);
}

static int count_attempts(struct store *store, int64_t request, int64_t *n,
                          struct err *err)
{
    struct query q = query_start(
        store, "SELECT (SELECT count(*) FROM attempt WHERE request = ?1)"
               " + (SELECT count(*) FROM serves s JOIN attempt a ON a.id = s.attempt"
               " WHERE s.request = ?1 AND a.request <> ?1)");
    query_int(&q, request);
    return query_value(&q, 0, n, err);
}

int store_attempts(struct store *store, int64_t request, struct arena *arena,
                   struct attempt **attempts, size_t *n, struct err *err)
{
    int64_t count;
    if (count_attempts(store, request, &count, err) != 0)
        return -1;
    struct attempt *rows = arena_new(arena, (size_t)count * sizeof *rows);
    struct query q = query_start(
        store, "SELECT a.id, a.run, a.request, a.teacher, a.terms, a.sent_ms, a.took_ms,"
               " a.outcome, a.reason, a.status, a.curl_code, a.request_id, a.note,"
               " (SELECT text FROM name WHERE id = a.model),"
               " (SELECT text FROM name WHERE id = a.fingerprint), 0, a.size, a.limits,"
               " a.cuts, a.dict, a.body, a.prompt_tokens, a.completion_tokens,"
               " a.cached_tokens, a.reasoning_tokens FROM attempt a WHERE a.id IN"
               " (SELECT id FROM attempt WHERE request = ?1"
               "  UNION SELECT attempt FROM serves WHERE request = ?1) ORDER BY a.id");
    query_int(&q, request);
    for (int64_t i = 0;; i++) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row)
            break;
        assert(i < count);
        if (read_attempt(&q, &rows[i], arena, err) != 0) {
            query_end(&q);
            return -1;
        }
    }
    *attempts = rows;
    *n = (size_t)count;
    return 0;
}
