/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "store/compress.h"
#include "store/private.h"

enum { PACK_MESSAGES = 4096 }; /* shorter ones gain too little for the time it takes */

static struct span bytes_of(const unsigned char *p, size_t n)
{
    return (struct span){(const char *)p, n};
}

/* ---- what the store knows of a request ---- */

struct known {
    int64_t request; /* 0: nothing */
    int64_t prompt, teacher, form;
    int edition;
    bool answered, failed, ambiguous; /* and not allowed to be asked again */
    bool other_hash, other_labels;    /* than the item has */
};

#define KNOWN_SELECT                                                                     \
    "SELECT r.id, r.prompt, r.teacher, r.form, r.edition, a.id IS NOT NULL,"             \
    " f.request IS NOT NULL, m.request IS NOT NULL AND NOT m.allowed, p.hash,"           \
    " p.prompt_id, p.metadata"                                                           \
    " FROM request r JOIN prompt p ON p.id = r.prompt LEFT JOIN answer a ON a.id = r.id" \
    " LEFT JOIN failed f ON f.request = r.id LEFT JOIN ambiguous m ON m.request = r.id"

static bool same(struct span a, struct span b)
{
    return (a.p == NULL) == (b.p == NULL) && span_equal(a, b);
}

static int read_known(struct query *q, const struct plan_item *item, struct known *known,
                      struct err *err)
{
    bool row;
    if (query_row(q, &row, err) != 0)
        return -1;
    *known = (struct known){0};
    if (!row)
        return 0;
    known->request = query_get_int(q, 0);
    known->prompt = query_get_int(q, 1);
    known->teacher = query_get_int(q, 2);
    known->form = query_get_int(q, 3);
    known->edition = (int)query_get_int(q, 4);
    known->answered = query_get_int(q, 5) != 0;
    known->failed = query_get_int(q, 6) != 0;
    known->ambiguous = query_get_int(q, 7) != 0;
    known->other_hash =
        !span_equal(query_get(q, 8), bytes_of(item->prompt_hash, SHA256_BYTES));
    known->other_labels = !same(query_get(q, 9), item->prompt->id) ||
                          !same(query_get(q, 10), item->prompt->metadata);
    query_end(q);
    return 0;
}

static int newest_edition(struct store *store, int64_t base, int64_t *request,
                          struct err *err)
{
    struct query q = query_start(
        store, "SELECT id FROM request WHERE base = ? ORDER BY edition DESC LIMIT 1");
    query_int(&q, base);
    return query_value(&q, 0, request, err);
}

/* The newest edition of the item's request; *base is edition 0. */
static int find_known(struct store *store, const struct plan_item *item, int64_t *base,
                      struct known *known, struct err *err)
{
    struct query q = query_start(store, KNOWN_SELECT " WHERE r.key = ?");
    query_blob(&q, bytes_of(item->key, SHA256_BYTES));
    if (read_known(&q, item, known, err) != 0)
        return -1;
    *base = known->request;
    if (*base == 0 || !store->has_editions)
        return 0;
    int64_t newest;
    if (newest_edition(store, *base, &newest, err) != 0)
        return -1;
    if (newest == 0)
        return 0;
    q = query_start(store, KNOWN_SELECT " WHERE r.id = ?");
    query_int(&q, newest);
    return read_known(&q, item, known, err);
}

/* ---- new rows ---- */

static int update_prompt(struct store *store, int64_t id, const struct prompt *prompt,
                         struct err *err)
{
    struct query q =
        query_start(store, "UPDATE prompt SET prompt_id = ?, metadata = ? WHERE id = ?");
    query_text(&q, prompt->id);
    query_text(&q, prompt->metadata);
    query_int(&q, id);
    return query_run(&q, err);
}

/* Text where it is short, so that people can read it; else a zstd frame. */
static void bind_messages(struct query *q, struct store *store, struct span messages)
{
    if (messages.n >= PACK_MESSAGES) {
        struct span packed = compress_level(store->coder, 1, messages, &store->packed);
        if (packed.n < messages.n) {
            query_blob(q, packed);
            return;
        }
    }
    query_text(q, messages);
}

/* The prompt's row, made when there is none, with the item's id and metadata. */
static int put_prompt(struct store *store, const struct plan_item *item, int64_t *id,
                      struct err *err)
{
    const struct prompt *prompt = item->prompt;
    struct query q = query_start(
        store, "INSERT INTO prompt(hash, prompt_id, params, metadata, messages)"
               " VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
    query_blob(&q, bytes_of(item->prompt_hash, SHA256_BYTES));
    query_text(&q, prompt->id);
    query_text(&q, prompt->params);
    query_text(&q, prompt->metadata);
    bind_messages(&q, store, prompt->messages);
    if (query_run(&q, err) != 0)
        return -1;
    if (sqlite3_changes(store->db) != 0) {
        *id = sqlite3_last_insert_rowid(store->db);
        return 0;
    }
    q = query_start(store, "SELECT id FROM prompt WHERE hash = ?");
    query_blob(&q, bytes_of(item->prompt_hash, SHA256_BYTES));
    if (query_value(&q, 0, id, err) != 0)
        return -1;
    return update_prompt(store, *id, prompt, err);
}

static int add_request(struct store *store, const struct plan_item *item, int64_t base,
                       int64_t *request, struct err *err)
{
    unsigned char edition_key[SHA256_BYTES];
    int64_t prompt;
    if (put_prompt(store, item, &prompt, err) != 0)
        return -1;
    int edition = base == 0 ? 0 : item->edition;
    store_edition_key(item->key, edition, edition_key);
    struct query q = query_start(
        store,
        "INSERT INTO request(key, prompt, teacher, form, kind, sample, edition, base)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    query_blob(&q, bytes_of(edition_key, SHA256_BYTES));
    query_int(&q, prompt);
    query_int(&q, item->teacher);
    query_int(&q, item->form);
    query_int(&q, item->kind);
    query_int(&q, item->sample);
    query_int(&q, edition);
    query_int_or_null(&q, base, 0);
    if (query_run(&q, err) != 0)
        return -1;
    store->has_editions = store->has_editions || edition > 0;
    *request = sqlite3_last_insert_rowid(store->db);
    return 0;
}

/* The request is asked, and shown, with what the last plan said: its labels, and its
 * division of parameters between row and options, which the key does not depend on. */
static int refresh(struct store *store, const struct plan_item *item,
                   const struct known *known, struct err *err)
{
    int64_t prompt = known->prompt;
    if (known->other_hash) {
        if (put_prompt(store, item, &prompt, err) != 0)
            return -1;
    } else if (known->other_labels &&
               update_prompt(store, prompt, item->prompt, err) != 0) {
        return -1;
    }
    if (prompt == known->prompt && known->teacher == item->teacher &&
        known->form == item->form)
        return 0;
    struct query q = query_start(
        store, "UPDATE request SET prompt = ?, teacher = ?, form = ? WHERE id = ?");
    query_int(&q, prompt);
    query_int(&q, item->teacher);
    query_int(&q, item->form);
    query_int(&q, known->request);
    return query_run(&q, err);
}

/* ---- the plan ---- */

int store_plan_start(struct store *store, bool hold_ambiguous, struct err *err)
{
    assert(store->in_transaction);
    store->hold_ambiguous = hold_ambiguous;
    struct query q =
        query_start(store, "SELECT EXISTS(SELECT 1 FROM request WHERE base IS NOT NULL)");
    int64_t editions;
    if (query_value(&q, 0, &editions, err) != 0)
        return -1;
    store->has_editions = editions != 0;
    return store_execute(store,
                         "CREATE TEMP TABLE IF NOT EXISTS plan("
                         "request INTEGER PRIMARY KEY, todo INTEGER NOT NULL) STRICT;"
                         "DELETE FROM temp.plan",
                         err);
}

/* *fresh false: an earlier item of this plan is the same request. */
static int enter(struct store *store, int64_t request, bool todo, bool *fresh,
                 struct err *err)
{
    struct query q = query_start(
        store,
        "INSERT INTO temp.plan(request, todo) VALUES(?, ?) ON CONFLICT DO NOTHING");
    query_int(&q, request);
    query_int(&q, todo);
    if (query_run(&q, err) != 0)
        return -1;
    *fresh = sqlite3_changes(store->db) != 0;
    return 0;
}

static void count_known(const struct store *store, const struct known *known,
                        struct plan_counts *counts)
{
    if (known->answered)
        counts->answered++;
    else if (known->failed)
        counts->failed++;
    else if (known->ambiguous && store->hold_ambiguous)
        counts->held++;
    else if (known->ambiguous)
        counts->ambiguous++;
}

int store_plan(struct store *store, const struct plan_item *item,
               struct plan_counts *counts, struct err *err)
{
    assert(store->in_transaction);
    int64_t base;
    struct known known;
    if (find_known(store, item, &base, &known, err) != 0)
        return -1;
    /* A higher edition asks an answered question again; there is none to ask otherwise. */
    bool add = known.request == 0 || (known.answered && known.edition < item->edition);
    if (add) {
        known = (struct known){0};
        if (add_request(store, item, base, &known.request, err) != 0)
            return -1;
    }
    bool todo =
        !known.answered && !known.failed && !(known.ambiguous && store->hold_ambiguous);
    bool fresh;
    if (enter(store, known.request, todo, &fresh, err) != 0)
        return -1;
    if (!fresh) {
        counts->duplicates++;
        return 0;
    }
    if (!add && refresh(store, item, &known, err) != 0)
        return -1;
    counts->requests++;
    counts->added += add;
    counts->todo += todo;
    count_known(store, &known, counts);
    return 0;
}

/* ---- taking ---- */

static int read_todo(struct query *q, struct store *store, struct todo *todo,
                     struct arena *arena, struct err *err)
{
    *todo = (struct todo){
        .request = query_get_int(q, 0),
        .teacher = query_get_int(q, 1),
        .form = query_get_int(q, 2),
        .sample = (int)query_get_int(q, 3),
        .edition = (int)query_get_int(q, 4),
        .was_ambiguous = query_get_int(q, 5) != 0,
        .params = arena_span(arena, query_get(q, 6)),
    };
    struct span messages = query_get(q, 7);
    if (!query_is_text(q, 7)) {
        buf_reset(&store->scratch);
        if (decompress(store->coder, NULL, messages, &store->scratch) != 0)
            return store_damaged(store, "the messages of request", todo->request, err);
        messages = buf_view(&store->scratch);
    }
    todo->messages = arena_span(arena, messages);
    return 0;
}

int store_take(struct store *store, int64_t after, size_t max, store_fill *fill,
               void *arg, size_t *taken, struct err *err)
{
    struct query q = query_start(
        store,
        "SELECT r.id, r.teacher, r.form, r.sample, r.edition, m.request IS NOT NULL,"
        " p.params, p.messages"
        " FROM temp.plan t CROSS JOIN request r ON r.id = t.request"
        " CROSS JOIN prompt p ON p.id = r.prompt"
        " LEFT JOIN ambiguous m ON m.request = r.id"
        " WHERE t.request > ? AND t.todo ORDER BY t.request");
    query_int(&q, after);
    size_t n = 0;
    for (; n < max; n++) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row)
            break;
        struct arena *arena = NULL;
        struct todo *todo = fill(arg, &arena);
        if (read_todo(&q, store, todo, arena, err) != 0) {
            query_end(&q);
            return -1;
        }
    }
    query_end(&q);
    *taken = n;
    return 0;
}
