/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "store/private.h"

void store_edition_key(const unsigned char key[SHA256_BYTES], int edition,
                       unsigned char edition_key[SHA256_BYTES])
{
    if (edition == 0) {
        memmove(edition_key, key, SHA256_BYTES);
        return;
    }
    unsigned char number[4];
    for (int i = 0; i < 4; i++)
        number[i] = (unsigned char)((unsigned)edition >> (8 * i));
    struct sha256 *sha = sha256_new();
    sha256_add(sha, key, SHA256_BYTES);
    sha256_add(sha, number, sizeof number);
    sha256_end(sha, edition_key);
    sha256_free(sha);
}

static int change(struct store *store, const char *literal, uint64_t *changes,
                  struct err *err)
{
    struct query q = query_start(store, literal);
    if (query_run(&q, err) != 0)
        return -1;
    *changes = (uint64_t)sqlite3_changes64(store->db);
    return 0;
}

/* Whether the failed requests are ambiguous as well no longer matters: the user knows. */
static int retry_failed(struct store *store, uint64_t *count, struct err *err)
{
    uint64_t also;
    if (change(store,
               "UPDATE ambiguous SET allowed = 1 WHERE request IN (SELECT request FROM "
               "failed)",
               &also, err) != 0)
        return -1;
    return change(store,
                  "DELETE FROM failed WHERE NOT EXISTS"
                  " (SELECT 1 FROM answer WHERE id = failed.request)",
                  count, err);
}

static int retry_ambiguous(struct store *store, uint64_t *count, struct err *err)
{
    return change(store,
                  "UPDATE ambiguous SET allowed = 1 WHERE NOT allowed"
                  " AND NOT EXISTS(SELECT 1 FROM answer WHERE id = ambiguous.request)"
                  " AND NOT EXISTS(SELECT 1 FROM failed f"
                  "  WHERE f.request = ambiguous.request)",
                  count, err);
}

/* ---- truncated ---- */

/* Those whose newest edition is answered and cut off. They are collected first, since the
 * walk must not meet the editions it adds. */
#define TRUNCATED                                                                        \
    "INSERT INTO temp.truncated SELECT r.id FROM answer a JOIN request r ON r.id = a.id" \
    " WHERE a.finish = ? AND NOT EXISTS(SELECT 1 FROM request e"                         \
    " WHERE e.base = ifnull(r.base, r.id) AND e.edition > r.edition)"

static int collect_truncated(struct store *store, struct err *err)
{
    if (store_execute(store,
                      "CREATE TEMP TABLE IF NOT EXISTS truncated("
                      "request INTEGER PRIMARY KEY) STRICT;"
                      "DELETE FROM temp.truncated",
                      err) != 0)
        return -1;
    struct query q = query_start(store, TRUNCATED);
    query_int(&q, FINISH_LENGTH);
    return query_run(&q, err);
}

static int add_edition(struct store *store, int64_t base, int64_t newest,
                       const unsigned char *key, int edition, struct err *err)
{
    unsigned char edition_key[SHA256_BYTES];
    store_edition_key(key, edition, edition_key);
    struct query q = query_start(
        store,
        "INSERT INTO request(key, prompt, teacher, form, kind, sample, edition, base)"
        " SELECT ?, prompt, teacher, form, kind, sample, ?, ? FROM request"
        " WHERE id = ?");
    query_blob(&q, (struct span){(const char *)edition_key, sizeof edition_key});
    query_int(&q, edition);
    query_int(&q, base);
    query_int(&q, newest);
    return query_run(&q, err);
}

static int retry_truncated(struct store *store, uint64_t *count, struct err *err)
{
    if (collect_truncated(store, err) != 0)
        return -1;
    struct query q =
        query_start(store, "SELECT b.id, r.id, b.key, r.edition FROM temp.truncated t"
                           " CROSS JOIN request r ON r.id = t.request"
                           " CROSS JOIN request b ON b.id = ifnull(r.base, r.id)");
    for (uint64_t n = 0;; n++) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row) {
            *count = n;
            return 0;
        }
        struct span key = query_get(&q, 2);
        int64_t base = query_get_int(&q, 0), newest = query_get_int(&q, 1);
        int edition = (int)query_get_int(&q, 3) + 1;
        int rc = key.n != SHA256_BYTES
                     ? store_damaged(store, "request", base, err)
                     : add_edition(store, base, newest, (const unsigned char *)key.p,
                                   edition, err);
        if (rc != 0) {
            query_end(&q);
            return -1;
        }
    }
}

int store_retry(struct store *store, unsigned what, struct retry_counts *counts,
                struct err *err)
{
    struct retry_counts c = {0};
    if (store_begin(store, err) != 0)
        return -1;
    if (((what & RETRY_FAILED) != 0 && retry_failed(store, &c.failed, err) != 0) ||
        ((what & RETRY_AMBIGUOUS) != 0 &&
         retry_ambiguous(store, &c.ambiguous, err) != 0) ||
        ((what & RETRY_TRUNCATED) != 0 &&
         retry_truncated(store, &c.truncated, err) != 0) ||
        store_commit(store, err) != 0) {
        store_rollback(store);
        return -1;
    }
    *counts = c;
    return 0;
}
