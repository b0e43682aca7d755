/* SPDX-License-Identifier: MIT */
#include "store/rows.h"

#include <string.h>

#include "store/compress.h"
#include "store/dictionary.h"
#include "store/layout.h"
#include "store/private.h"

enum column {
    COL_ID,
    COL_KEY,
    COL_HASH,
    COL_PROMPT_ID,
    COL_MESSAGES,
    COL_PARAMS,
    COL_METADATA,
    COL_SYSTEM,
    COL_FORM_PARAMS,
    COL_IDENTITY,
    COL_WIRE,
    COL_MODEL,
    COL_KIND,
    COL_SAMPLE,
    COL_EDITION,
    COL_ATTEMPT,
    COL_FINISH,
    COL_FLAGS,
    COL_SPANS,
    COL_USAGE, /* and the three after it */
    COL_SERVED = COL_USAGE + 4,
    COL_LICENCE,
    COL_TRAINING,
    COL_LIMITS,
    COL_DICT,
    COL_BODY,
};

void row_space_init(struct row_space *space)
{
    buf_init(&space->messages, BODY_MAX);
    buf_init(&space->payload, BODY_MAX);
}

void row_space_clear(struct row_space *space)
{
    buf_clear(&space->messages);
    buf_clear(&space->payload);
}

static int read_digest(const struct query *q, int column,
                       unsigned char digest[SHA256_BYTES])
{
    struct span bytes = query_get(q, column);
    if (bytes.n != SHA256_BYTES)
        return -1;
    memcpy(digest, bytes.p, SHA256_BYTES);
    return 0;
}

/* An id that the prompt set does not give is made of the hash. */
static struct span prompt_id(const struct query *q, const unsigned char *hash,
                             struct row_space *space)
{
    struct span id = query_get(q, COL_PROMPT_ID);
    if (id.p != NULL)
        return id;
    hex_encode(hash, 8, space->prompt_id);
    return (struct span){space->prompt_id, 16};
}

static int read_messages(const struct query *q, struct row_space *space, struct row *row)
{
    row->messages = query_get(q, COL_MESSAGES);
    if (query_is_text(q, COL_MESSAGES))
        return 0;
    buf_reset(&space->messages);
    if (decompress(q->store->coder, NULL, row->messages, &space->messages) != 0)
        return -1;
    row->messages = buf_view(&space->messages);
    return 0;
}

static int read_request(const struct query *q, struct row_space *space, struct row *row)
{
    *row = (struct row){
        .request = query_get_int(q, COL_ID),
        .params = query_get(q, COL_PARAMS),
        .metadata = query_get(q, COL_METADATA),
        .system = query_get(q, COL_SYSTEM),
        .form_params = query_get(q, COL_FORM_PARAMS),
        .teacher = query_get(q, COL_IDENTITY),
        .wire = query_get(q, COL_WIRE),
        .model_asked = query_get(q, COL_MODEL),
        .kind = (enum kind)query_get_int(q, COL_KIND),
        .sample = (int)query_get_int(q, COL_SAMPLE),
        .edition = (int)query_get_int(q, COL_EDITION),
        .usage = {-1, -1, -1, -1},
    };
    if (read_digest(q, COL_KEY, row->key) != 0 ||
        read_digest(q, COL_HASH, row->prompt_hash) != 0 ||
        read_messages(q, space, row) != 0)
        return -1;
    row->prompt_id = prompt_id(q, row->prompt_hash, space);
    return 0;
}

static bool read_texts(struct span places, struct span body, struct row *row)
{
    size_t at = 0;
    return layout_read_place(places, &at, body, &row->content) &&
           layout_read_place(places, &at, body, &row->reasoning) &&
           layout_read_place(places, &at, body, &row->refusal) &&
           layout_read_place(places, &at, body, &row->tool_calls);
}

static int read_answer(const struct query *q, struct row_space *space, struct row *row,
                       struct err *err)
{
    row->attempt = query_get_int(q, COL_ATTEMPT);
    row->finish = (enum finish)query_get_int(q, COL_FINISH);
    row->flags = (unsigned)query_get_int(q, COL_FLAGS);
    row->usage = (struct usage){
        query_get_or(q, COL_USAGE, -1),
        query_get_or(q, COL_USAGE + 1, -1),
        query_get_or(q, COL_USAGE + 2, -1),
        query_get_or(q, COL_USAGE + 3, -1),
    };
    row->model_served = query_get(q, COL_SERVED);
    row->license = query_get(q, COL_LICENCE);
    row->training = query_get(q, COL_TRAINING);
    buf_reset(&space->payload);
    if (body_unpack(q->store, row->attempt, query_get_or(q, COL_DICT, 0),
                    query_get(q, COL_BODY), &space->payload, err) != 0)
        return -1;
    size_t limits = (size_t)query_get_int(q, COL_LIMITS);
    struct span body = buf_view(&space->payload);
    if (limits > body.n)
        return store_damaged(q->store, "attempt", row->attempt, err);
    body = (struct span){body.p + limits, body.n - limits};
    if (!read_texts(query_get(q, COL_SPANS), body, row))
        return store_damaged(q->store, "the answer to request", row->request, err);
    return 0;
}

int row_read(const struct query *q, struct row_space *space, struct row *row,
             bool *answered, struct err *err)
{
    if (read_request(q, space, row) != 0)
        return store_damaged(q->store, "request", query_get_int(q, COL_ID), err);
    *answered = query_get_or(q, COL_ATTEMPT, 0) != 0;
    return *answered ? read_answer(q, space, row, err) : 0;
}
