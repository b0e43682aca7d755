/* SPDX-License-Identifier: MIT */
#include "store/tracks.h"

#include <math.h>

#include "store/compress.h"
#include "store/pack.h"
#include "store/private.h"
#include "store/vocab.h"

enum { LEVEL = 3 };

static int64_t row_id(int64_t request, int name)
{
    return request * 8 + name;
}

/* ---- writing ---- */

static int insert_track(struct store *store, const struct track_place *place,
                        const struct track *track, struct span data, struct err *err)
{
    struct query q =
        query_start(store, "INSERT INTO track(id, teacher, positions, entries,"
                           " data) VALUES(?, ?, ?, ?, ?)");
    query_int(&q, row_id(place->request, place->name));
    query_int(&q, place->teacher);
    query_int(&q, track->positions);
    query_int(&q, track->first[track->positions]);
    query_blob(&q, data);
    return query_run(&q, err);
}

/* JSON has no infinity, and members that the shape does not have for all entries cannot be
 * written again. An id without SHAPE_ID is one that the token's text spells. */
static bool has_json(const struct track *track)
{
    for (uint32_t i = 0; i < track->first[track->positions]; i++) {
        const struct logprob *entry = &track->entries[i];
        if (isinf(entry->value) || ((track->shape & SHAPE_ID) != 0 && entry->id < 0) ||
            ((track->shape & SHAPE_BYTES) != 0) != (entry->bytes.p != NULL))
            return false;
    }
    for (uint32_t i = 0; i < track->positions; i++)
        if ((track->shape & SHAPE_TOP) == 0 && track->first[i + 1] - track->first[i] != 1)
            return false;
    return true;
}

int track_put(struct store *store, const struct track_place *place,
              const struct track *track, bool *whole, struct err *err)
{
    struct vocab *vocab;
    struct columns columns;
    enum pack_values form;
    *whole = false;
    if (vocab_open(store, place->teacher, true, &vocab, err) != 0)
        return -1;
    columns_of(track, &store->arena, &columns);
    bool room = vocab_numbers(vocab, columns.token_entries,
                              columns.token_at[columns.positions], columns.tokens);
    if (vocab_save(store, vocab, err) != 0)
        return -1;
    if (!room)
        return 0;
    buf_reset(&store->scratch);
    columns_pack(&columns, &store->arena, &store->scratch, &form);
    struct span data =
        compress_level(store->coder, LEVEL, buf_view(&store->scratch), &store->packed);
    if (insert_track(store, place, track, data, err) != 0)
        return -1;
    *whole = has_json(track);
    return 0;
}

/* ---- reading ---- */

static int find_track(struct store *store, int64_t id, int64_t *teacher,
                      struct buf *packed, struct err *err)
{
    struct query q = query_start(store, "SELECT teacher, data FROM track WHERE id = ?");
    query_int(&q, id);
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    *teacher = 0;
    if (!row)
        return 0;
    *teacher = query_get_int(&q, 0);
    int rc = decompress(store->coder, NULL, query_get(&q, 1), packed);
    query_end(&q);
    return rc == 0 ? 0 : store_damaged(store, "track", id, err);
}

int track_get(struct store *store, int64_t request, int name, struct arena *arena,
              struct track *track, struct err *err)
{
    int64_t id = row_id(request, name), teacher;
    buf_reset(&store->scratch);
    if (find_track(store, id, &teacher, &store->scratch, err) != 0)
        return -1;
    *track = (struct track){0};
    if (teacher == 0)
        return 0;
    struct columns columns;
    struct vocab *vocab;
    uint32_t *numbers;
    if (columns_unpack(buf_view(&store->scratch), arena, &columns) != 0)
        return store_damaged(store, "track", id, err);
    if (vocab_open(store, teacher, false, &vocab, err) != 0)
        return -1;
    struct track found;
    columns_track(&columns, arena, &found, &numbers);
    for (uint32_t i = 0; i < found.first[found.positions]; i++)
        if (vocab_token(store, vocab, numbers[i], &found.entries[i], err) != 0)
            return -1;
    *track = found;
    return 0;
}
