/* SPDX-License-Identifier: MIT */
/* What few rows say about many: teachers, terms, forms, runs, names. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/private.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* ---- teachers ---- */

static int find_terms(struct store *store, const struct teacher_tag *tag, int64_t *id,
                      struct err *err)
{
    struct query q =
        query_start(store, "SELECT id FROM terms WHERE licence IS ?1 AND terms_url IS ?2"
                           " AND terms_date IS ?3 AND training IS ?4 AND basis IS ?5");
    query_text(&q, span_of(tag->license));
    query_text(&q, span_of(tag->terms_url));
    query_text(&q, span_of(tag->terms_date));
    query_text(&q, span_of(tag->training));
    query_text(&q, span_of(tag->basis));
    return query_value(&q, 0, id, err);
}

static int add_terms(struct store *store, const struct teacher_tag *tag, int64_t *id,
                     struct err *err)
{
    struct query q = query_start(
        store, "INSERT INTO terms(licence, terms_url, terms_date, training, basis)"
               " VALUES(?, ?, ?, ?, ?)");
    query_text(&q, span_of(tag->license));
    query_text(&q, span_of(tag->terms_url));
    query_text(&q, span_of(tag->terms_date));
    query_text(&q, span_of(tag->training));
    query_text(&q, span_of(tag->basis));
    if (query_run(&q, err) != 0)
        return -1;
    *id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

static int find_teacher(struct store *store, const struct teacher_tag *tag, int64_t *id,
                        struct err *err)
{
    struct query q = query_start(
        store, "SELECT id FROM teacher WHERE identity = ? AND wire = ? AND model = ?");
    query_text(&q, span_of(tag->identity));
    query_text(&q, span_of(tag->wire));
    query_text(&q, span_of(tag->model));
    return query_value(&q, 0, id, err);
}

static int put_teacher(struct store *store, const struct teacher_tag *tag,
                       struct err *err)
{
    struct query q = query_start(
        store, "INSERT INTO teacher(identity, wire, model, name) VALUES(?, ?, ?, ?)"
               " ON CONFLICT DO UPDATE SET name = excluded.name");
    query_text(&q, span_of(tag->identity));
    query_text(&q, span_of(tag->wire));
    query_text(&q, span_of(tag->model));
    query_text(&q, span_of(tag->name));
    return query_run(&q, err);
}

int store_teacher(struct store *store, const struct teacher_tag *tag, int64_t *teacher,
                  int64_t *terms, struct err *err)
{
    assert(store->in_transaction);
    int64_t teacher_id, terms_id;
    if (put_teacher(store, tag, err) != 0 ||
        find_teacher(store, tag, &teacher_id, err) != 0 ||
        find_terms(store, tag, &terms_id, err) != 0)
        return -1;
    if (terms_id == 0 && add_terms(store, tag, &terms_id, err) != 0)
        return -1;
    *teacher = teacher_id;
    *terms = terms_id;
    return 0;
}

/* ---- forms ---- */

int store_form(struct store *store, struct span params, struct span system, int64_t *form,
               struct err *err)
{
    assert(store->in_transaction);
    if (params.n == 0)
        params = SPAN_LITERAL("{}");
    unsigned char hash[SHA256_BYTES];
    struct sha256 *sha = sha256_new();
    sha256_add_part(sha, params);
    sha256_add_part(sha, system);
    sha256_end(sha, hash);
    sha256_free(sha);

    struct query q = query_start(store, "INSERT INTO form(hash, params, system)"
                                        " VALUES(?, ?, ?) ON CONFLICT DO NOTHING");
    query_blob(&q, (struct span){(const char *)hash, sizeof hash});
    query_text(&q, params);
    query_text(&q, system);
    if (query_run(&q, err) != 0)
        return -1;
    q = query_start(store, "SELECT id FROM form WHERE hash = ?");
    query_blob(&q, (struct span){(const char *)hash, sizeof hash});
    return query_value(&q, 0, form, err);
}

/* ---- runs ---- */

int store_run_start(struct store *store, const char *command, int64_t now_ms,
                    int64_t *run, struct err *err)
{
    assert(store->in_transaction);
    struct query q = query_start(
        store, "INSERT INTO run(command, version, started_ms) VALUES(?, ?, ?)");
    query_text(&q, span_of(command));
    query_text(&q, SPAN_LITERAL(PACKAGE_VERSION));
    query_int(&q, now_ms);
    if (query_run(&q, err) != 0)
        return -1;
    *run = sqlite3_last_insert_rowid(store->db);
    return 0;
}

int store_run_end(struct store *store, int64_t run, int64_t now_ms, int exit_code,
                  struct err *err)
{
    assert(store->in_transaction);
    struct query q =
        query_start(store, "UPDATE run SET ended_ms = ?, exit_code = ? WHERE id = ?");
    query_int(&q, now_ms);
    query_int(&q, exit_code);
    query_int(&q, run);
    return query_run(&q, err);
}

/* ---- names ---- */

static int find_name(struct store *store, struct span text, int64_t *id, struct err *err)
{
    struct query q = query_start(store, "SELECT id FROM name WHERE text = ?");
    query_text(&q, text);
    return query_value(&q, 0, id, err);
}

static int add_name(struct store *store, struct span text, int64_t *id, struct err *err)
{
    struct query q = query_start(store, "INSERT INTO name(text) VALUES(?)");
    query_text(&q, text);
    if (query_run(&q, err) != 0)
        return -1;
    *id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

int store_name(struct store *store, struct span text, int64_t *id, struct err *err)
{
    if (text.p == NULL) {
        *id = 0;
        return 0;
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (store->names[i].id != 0 &&
            span_equal(buf_view(&store->names[i].text), text)) {
            *id = store->names[i].id;
            return 0;
        }
    }
    int64_t found;
    if (find_name(store, text, &found, err) != 0)
        return -1;
    if (found == 0 && add_name(store, text, &found, err) != 0)
        return -1;
    size_t i = store->next_name++ % NAMES;
    buf_reset(&store->names[i].text);
    buf_span(&store->names[i].text, text);
    store->names[i].id = store->names[i].text.overflowed ? 0 : found;
    *id = found;
    return 0;
}
