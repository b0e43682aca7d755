/* SPDX-License-Identifier: MIT */
#include "store/ledger.h"

#include <assert.h>

#include "store/dictionary.h"
#include "store/layout.h"
#include "store/private.h"
#include "store/tracks.h"

/* ---- intents ---- */

int store_sent(struct store *store, int64_t run, int64_t request, int64_t now_ms,
               int64_t *attempt, struct err *err)
{
    assert(store->in_transaction);
    struct query q = query_start(
        store, "INSERT INTO intent(attempt, run, request, sent_ms) VALUES(?, ?, ?, ?)");
    query_int(&q, store->last_attempt + 1);
    query_int(&q, run);
    query_int(&q, request);
    query_int(&q, now_ms);
    if (query_run(&q, err) != 0)
        return -1;
    *attempt = ++store->last_attempt;
    return 0;
}

int store_serves(struct store *store, int64_t attempt, int64_t request, struct err *err)
{
    assert(store->in_transaction);
    struct query q = query_start(
        store,
        "INSERT INTO serves(attempt, request) VALUES(?, ?) ON CONFLICT DO NOTHING");
    query_int(&q, attempt);
    query_int(&q, request);
    return query_run(&q, err);
}

static int delete_intent(struct store *store, int64_t attempt, struct err *err)
{
    struct query q = query_start(store, "DELETE FROM intent WHERE attempt = ?");
    query_int(&q, attempt);
    return query_run(&q, err);
}

int store_unsent(struct store *store, int64_t attempt, struct err *err)
{
    assert(store->in_transaction);
    struct query q = query_start(store, "DELETE FROM serves WHERE attempt = ?");
    query_int(&q, attempt);
    if (query_run(&q, err) != 0)
        return -1;
    return delete_intent(store, attempt, err);
}

/* ---- an attempt that brought no answer ---- */

static int mark_failed(struct store *store, const struct attempt *attempt,
                       struct err *err)
{
    struct query q =
        query_start(store, "INSERT INTO failed(request, attempt) VALUES(?1, ?2)"
                           " ON CONFLICT DO UPDATE SET attempt = excluded.attempt");
    query_int(&q, attempt->request);
    query_int(&q, attempt->attempt);
    if (query_run(&q, err) != 0)
        return -1;
    q = query_start(store, "INSERT INTO failed(request, attempt)"
                           " SELECT request, attempt FROM serves WHERE attempt = ?"
                           " ON CONFLICT DO UPDATE SET attempt = excluded.attempt");
    query_int(&q, attempt->attempt);
    return query_run(&q, err);
}

static int mark_ambiguous(struct store *store, const struct attempt *attempt,
                          struct err *err)
{
    struct query q = query_start(
        store, "INSERT INTO ambiguous(request, attempt, allowed) VALUES(?, ?, 0)"
               " ON CONFLICT DO UPDATE SET attempt = excluded.attempt, allowed = 0");
    query_int(&q, attempt->request);
    query_int(&q, attempt->attempt);
    if (query_run(&q, err) != 0)
        return -1;
    q = query_start(store,
                    "INSERT INTO ambiguous(request, attempt, allowed)"
                    " SELECT request, attempt, 0 FROM serves WHERE attempt = ?"
                    " ON CONFLICT DO UPDATE SET attempt = excluded.attempt, allowed = 0");
    query_int(&q, attempt->attempt);
    return query_run(&q, err);
}

/* ---- what is being settled ---- */

struct settling {
    struct store *store;
    const struct attempt *attempt;
    struct answer *answers;
    const int64_t *requests;
    size_t n;
    bool *
        fresh; /* the answer is the first for its request; a second one stays in its body */
    struct layout layout;
};

/* The attempt's body as it is stored. */
struct blob {
    struct span cuts, body; /* absent: none */
    int64_t dict;
};

/* ---- tracks ---- */

/* The inside of an array that lies in the body, brackets and all. */
static bool inside_of(struct span array, struct span body, struct cut *cut)
{
    uintptr_t p = (uintptr_t)array.p, start = (uintptr_t)body.p;
    if (array.p == NULL || array.n < 2 || p < start || p > start + body.n ||
        array.n > body.n - (p - start) || array.p[0] != '[' ||
        array.p[array.n - 1] != ']')
        return false;
    cut->from = p - start + 1;
    cut->to = cut->from + array.n - 2;
    return true;
}

static int pack_track(struct settling *s, size_t i, int name, struct err *err)
{
    struct answer *answer = &s->answers[i];
    const struct track *track = &answer->tracks[name];
    const struct track_place place = {s->attempt->teacher, s->requests[i], name};
    if (track->positions == 0) { /* no list, an empty one, or one that was not read */
        if (track->array.p != NULL && !answer->understood)
            answer->flags |= FLAG_BODY_WHOLE;
        return 0;
    }
    bool whole;
    if (track_put(s->store, &place, track, &whole, err) != 0)
        return -1;
    struct cut cut = {.request = s->requests[i], .track = name};
    if (!whole || !answer->understood || !inside_of(track->array, s->layout.body, &cut) ||
        !layout_cut(&s->layout, &s->store->arena, &cut))
        answer->flags |= FLAG_BODY_WHOLE;
    return 0;
}

static int has_answer(struct store *store, int64_t request, bool *has, struct err *err)
{
    struct query q = query_start(store, "SELECT 1 FROM answer WHERE id = ?");
    query_int(&q, request);
    int64_t value;
    if (query_value(&q, 0, &value, err) != 0)
        return -1;
    *has = value != 0;
    return 0;
}

static int pack_answers(struct settling *s, struct err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        bool has;
        if (has_answer(s->store, s->requests[i], &has, err) != 0)
            return -1;
        s->fresh[i] = !has;
        for (int name = 0; name < TRACKS && s->fresh[i]; name++)
            if (pack_track(s, i, name, err) != 0)
                return -1;
    }
    return 0;
}

/* ---- the answers' rows ---- */

static int insert_answer(struct settling *s, size_t i, struct span places,
                         struct err *err)
{
    const struct answer *answer = &s->answers[i];
    int tracks = 0;
    for (int name = 0; name < TRACKS; name++)
        tracks |= (answer->tracks[name].positions != 0) << name;
    struct query q = query_start(
        s->store, "INSERT INTO answer(id, attempt, choice, finish, flags, tracks, spans)"
                  " VALUES(?, ?, ?, ?, ?, ?, ?)");
    query_int(&q, s->requests[i]);
    query_int(&q, s->attempt->attempt);
    query_int(&q, answer->index);
    query_int(&q, answer->finish);
    query_int(&q, answer->flags);
    query_int(&q, tracks);
    query_blob(&q, places);
    if (query_run(&q, err) != 0)
        return -1;
    if (s->requests[i] == s->attempt->request)
        return 0;
    return store_serves(s->store, s->attempt->attempt, s->requests[i], err);
}

static int put_answers(struct settling *s, struct err *err)
{
    struct buf *places = &s->store->scratch;
    for (size_t i = 0; i < s->n; i++) {
        const struct answer *answer = &s->answers[i];
        if (!s->fresh[i])
            continue;
        buf_reset(places);
        layout_place(&s->layout, answer->content, places);
        layout_place(&s->layout, answer->reasoning, places);
        layout_place(&s->layout, answer->refusal, places);
        layout_place(&s->layout, answer->tool_calls, places);
        if (insert_answer(s, i, buf_view(places), err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the attempt's row ---- */

static void bind_usage(struct query *q, const struct usage *usage)
{
    query_int_or_null(q, usage->prompt, -1);
    query_int_or_null(q, usage->completion, -1);
    query_int_or_null(q, usage->cached, -1);
    query_int_or_null(q, usage->reasoning, -1);
}

static void bind_exchange(struct query *q, const struct attempt *attempt)
{
    int64_t took = attempt->ended_ms - attempt->sent_ms;
    query_int(q, attempt->attempt);
    query_int(q, attempt->run);
    query_int(q, attempt->request);
    query_int(q, attempt->teacher);
    query_int_or_null(q, attempt->terms, 0);
    query_int(q, attempt->sent_ms);
    query_int(q, took < 0 ? 0 : took);
    query_int(q, attempt->outcome);
    query_int(q, attempt->reason);
    query_int(q, attempt->status);
    query_int(q, attempt->curl_code);
}

static int insert_attempt(struct settling *s, const struct blob *blob, struct err *err)
{
    const struct attempt *attempt = s->attempt;
    int64_t model, fingerprint;
    if (store_name(s->store, attempt->model, &model, err) != 0 ||
        store_name(s->store, attempt->fingerprint, &fingerprint, err) != 0)
        return -1;
    struct query q = query_start(
        s->store,
        "INSERT INTO attempt(id, run, request, teacher, terms, sent_ms, took_ms, outcome,"
        " reason, status, curl_code, prompt_tokens, completion_tokens, cached_tokens,"
        " reasoning_tokens, model, fingerprint, request_id, note, limits, size, cuts, "
        "dict,"
        " body)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?)");
    bind_exchange(&q, attempt);
    bind_usage(&q, &attempt->usage);
    query_int_or_null(&q, model, 0);
    query_int_or_null(&q, fingerprint, 0);
    query_text(&q, attempt->request_id);
    query_text(&q, attempt->note);
    query_int(&q, (int64_t)attempt->limits.n);
    query_int_or_null(&q, attempt->body.p == NULL ? -1 : (int64_t)s->layout.size, -1);
    query_blob(&q, blob->cuts);
    query_int_or_null(&q, blob->dict, 0);
    query_blob(&q, blob->body);
    return query_run(&q, err);
}

/* The payload is complete: pack it and write the attempt's row. */
static int put_attempt(struct settling *s, struct err *err)
{
    struct store *store = s->store;
    struct blob blob = {0};
    struct span payload = buf_view(s->layout.payload);
    bool typical = s->attempt->outcome == OUTCOME_ANSWERED;
    if (payload.n != 0 && body_pack(store, s->attempt->teacher, payload, typical,
                                    &blob.body, &blob.dict, err) != 0)
        return -1;
    if (s->layout.n != 0) {
        buf_reset(&store->scratch);
        layout_add_cuts(&s->layout, s->attempt->request, &store->scratch);
        blob.cuts = buf_view(&store->scratch);
    }
    return insert_attempt(s, &blob, err);
}

int store_settled(struct store *store, const struct attempt *attempt,
                  struct answer *answers, const int64_t *requests, size_t n,
                  struct err *err)
{
    assert(store->in_transaction);
    assert(n == 0 || (attempt->outcome == OUTCOME_ANSWERED && attempt->body.p != NULL));
    arena_reset(&store->arena);
    struct settling s = {
        .store = store,
        .attempt = attempt,
        .answers = answers,
        .requests = requests,
        .n = n,
        .fresh = arena_new(&store->arena, n),
        .layout = {.body = attempt->body, .payload = &store->payload},
    };
    if (delete_intent(store, attempt->attempt, err) != 0 || pack_answers(&s, err) != 0)
        return -1;
    layout_start(&s.layout, attempt->limits);
    if (put_answers(&s, err) != 0 || put_attempt(&s, err) != 0 ||
        tally_add(store, attempt, n, err) != 0)
        return -1;
    if (attempt->outcome == OUTCOME_FAILED)
        return mark_failed(store, attempt, err);
    if (attempt->outcome == OUTCOME_AMBIGUOUS)
        return mark_ambiguous(store, attempt, err);
    return 0;
}
