/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/private.h"
#include "store/rows.h"
#include "store/tracks.h"

/* Its statement is its own, so that several cursors can be open at once. */
struct cursor {
    struct query query;
    struct row_space space;
    struct row row;
};

/* The cross join keeps the walk along the index over keys: sorted without sorting. */
#define CURSOR_SELECT                                                                    \
    "SELECT " ROW_COLUMNS " FROM request r CROSS JOIN answer a ON a.id = r.id" ROW_JOINS \
    " WHERE NOT EXISTS(SELECT 1 FROM request e JOIN answer ea ON ea.id = e.id"           \
    " WHERE e.base = ifnull(r.base, r.id) AND e.edition > r.edition)"

static int make_selected(struct store *store, struct err *err)
{
    return store_execute(store,
                         "CREATE TEMP TABLE IF NOT EXISTS selected("
                         "prompt INTEGER PRIMARY KEY) STRICT",
                         err);
}

int store_select(struct store *store, const unsigned char prompt_hash[SHA256_BYTES],
                 struct err *err)
{
    if (make_selected(store, err) != 0)
        return -1;
    struct query q = query_start(store, "INSERT INTO temp.selected(prompt)"
                                        " SELECT id FROM prompt WHERE hash = ?"
                                        " ON CONFLICT DO NOTHING");
    query_blob(&q, (struct span){(const char *)prompt_hash, SHA256_BYTES});
    return query_run(&q, err);
}

int cursor_open(struct store *store, const struct cursor_filter *filter,
                struct cursor **cursor, struct err *err)
{
    static const char all[] = CURSOR_SELECT " ORDER BY r.key";
    static const char selected[] = CURSOR_SELECT
        " AND r.prompt IN (SELECT prompt FROM temp.selected) ORDER BY r.key";
    bool only_selected = filter != NULL && filter->only_selected;
    if (only_selected && make_selected(store, err) != 0)
        return -1;
    struct sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(store->db, only_selected ? selected : all, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return store_fail(store, rc, err);
    struct cursor *c = mem_new(sizeof *c);
    c->query = (struct query){.store = store, .st = st};
    row_space_init(&c->space);
    *cursor = c;
    return 0;
}

int cursor_next(struct cursor *cursor, const struct row **row, struct err *err)
{
    bool more, answered;
    if (query_row(&cursor->query, &more, err) != 0)
        return -1;
    if (!more) {
        *row = NULL;
        return 0;
    }
    if (row_read(&cursor->query, &cursor->space, &cursor->row, &answered, err) != 0)
        return -1;
    assert(answered);
    *row = &cursor->row;
    return 0;
}

int cursor_tracks(struct cursor *cursor, struct arena *arena, struct track *tracks,
                  struct err *err)
{
    return store_tracks(cursor->query.store, cursor->row.request, arena, tracks, err);
}

void cursor_close(struct cursor *cursor)
{
    if (cursor == NULL)
        return;
    sqlite3_finalize(cursor->query.st);
    row_space_clear(&cursor->space);
    free(cursor);
}
