/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "store/dictionary.h"
#include "store/ledger.h"
#include "store/private.h"
#include "store/vocab.h"

int store_begin(struct store *store, struct err *err)
{
    assert(!store->in_transaction && store->mode != STORE_READ);
    if (store_execute(store, "BEGIN IMMEDIATE", err) != 0)
        return -1;
    store->in_transaction = true;
    return 0;
}

int store_commit(struct store *store, struct err *err)
{
    assert(store->in_transaction);
    if (sqlite3_get_autocommit(store->db)) {
        /* SQLite took everything back when a statement failed on a full disk. */
        store_rollback(store);
        err_set(err, ERR_STORAGE, "store '%s': the transaction was undone", store->path);
        return err_safe(err, "what was committed before this stays in the store");
    }
    if (tally_write(store, err) != 0 || store_execute(store, "COMMIT", err) != 0) {
        store_rollback(store);
        return -1;
    }
    store->in_transaction = false;
    return 0;
}

void store_rollback(struct store *store)
{
    if (!store->in_transaction)
        return;
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->in_transaction = false;
    store->tally = (struct tally){0};
    store_forget(store);
}

void store_forget(struct store *store)
{
    for (size_t i = 0; i < NAMES; i++)
        store->names[i].id = 0;
    dictionaries_forget(store->dictionaries);
    vocab_free(store->vocabs);
    store->vocabs = NULL;
}

/* ---- sums of a run ---- */

static int64_t known(int64_t count)
{
    return count < 0 ? 0 : count;
}

int tally_write(struct store *store, struct err *err)
{
    const struct tally *t = &store->tally;
    if (t->attempts == 0)
        return 0;
    struct query q = query_start(
        store,
        "UPDATE run SET attempts = attempts + ?, answers = answers + ?,"
        " prompt_tokens = prompt_tokens + ?, completion_tokens = completion_tokens + ?,"
        " cached_tokens = cached_tokens + ?, reasoning_tokens = reasoning_tokens + ?"
        " WHERE id = ?");
    query_int(&q, t->attempts);
    query_int(&q, t->answers);
    query_int(&q, t->usage.prompt);
    query_int(&q, t->usage.completion);
    query_int(&q, t->usage.cached);
    query_int(&q, t->usage.reasoning);
    query_int(&q, t->run);
    if (query_run(&q, err) != 0)
        return -1;
    store->tally = (struct tally){0};
    return 0;
}

int tally_add(struct store *store, const struct attempt *attempt, size_t answers,
              struct err *err)
{
    struct tally *t = &store->tally;
    if (t->run != attempt->run && tally_write(store, err) != 0)
        return -1;
    t->run = attempt->run;
    t->attempts++;
    t->answers += (int64_t)answers;
    t->usage.prompt += known(attempt->usage.prompt);
    t->usage.completion += known(attempt->usage.completion);
    t->usage.cached += known(attempt->usage.cached);
    t->usage.reasoning += known(attempt->usage.reasoning);
    return 0;
}
