/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/private.h"

static const char schema[] =
#include "store/schema.inc"
    ;

/* A later version adds a row; rows are never changed once released. */
static const struct migration migrations[] = {
    {1, schema},
};

/* ---- words: the names that views show for numbers ---- */

enum { WORDS_MAX = 64 }; /* more than any enum has members, and than flags has bits */

static int put_word(struct store *store, const char *noun, int64_t value,
                    const char *name, struct err *err)
{
    struct query q =
        query_start(store, "INSERT INTO word(noun, value, name) VALUES(?, ?, ?) "
                           "ON CONFLICT DO NOTHING");
    query_text(&q, span_of(noun));
    query_int(&q, value);
    query_text(&q, span_of(name));
    return query_run(&q, err);
}

static const char *kind_of(int i)
{
    return kind_name((enum kind)i);
}

static const char *finish_of(int i)
{
    return finish_name((enum finish)i);
}

static const char *outcome_of(int i)
{
    return outcome_name((enum outcome)i);
}

static const char *reason_of(int i)
{
    return reason_name((enum reason)i);
}

static const char *track_of(int i)
{
    return i < TRACKS ? track_title((enum track_name)i) : "?";
}

static int put_flags(struct store *store, struct err *err)
{
    struct buf name;
    buf_init(&name, 100);
    int result = 0;
    for (int i = 0; i < 31 && result == 0; i++) {
        buf_reset(&name);
        flags_add(&name, 1u << i);
        if (name.n != 0)
            result = put_word(store, "flag", INT64_C(1) << i, name.p, err);
    }
    buf_clear(&name);
    return result;
}

static int put_words(struct store *store, struct err *err)
{
    static const struct {
        const char *noun;
        const char *(*name)(int i);
    } nouns[] = {
        {"kind", kind_of},     {"finish", finish_of}, {"outcome", outcome_of},
        {"reason", reason_of}, {"track", track_of},
    };
    for (size_t n = 0; n < sizeof nouns / sizeof nouns[0]; n++) {
        for (int i = 0; i < WORDS_MAX; i++) {
            const char *name = nouns[n].name(i);
            if (name[0] != '?' && put_word(store, nouns[n].noun, i, name, err) != 0)
                return -1;
        }
    }
    return put_flags(store, err);
}

/* ---- steps ---- */

/* A whole, compact copy beside the store; an earlier one of that name is left alone, since
 * a migration that was interrupted has made it from the same bytes. */
static int back_up(struct store *store, int version, struct err *err)
{
    char *name = mem_format("%s.before-%d", store->path, version);
    char *partial = mem_format("%s.partial", name);
    int result = 0;
    if (access(name, F_OK) != 0) {
        unlink(partial);
        struct query q = query_start(store, "VACUUM INTO ?");
        query_text(&q, span_of(partial));
        result = query_run(&q, err);
        if (result == 0 && rename(partial, name) != 0)
            result = file_error(err, "rename to", name, errno);
    }
    if (result != 0)
        err_prefix(err, "back up before migrating");
    free(partial);
    free(name);
    return result;
}

static int apply(struct store *store, const struct migration *step, struct err *err)
{
    char *header = mem_format("PRAGMA application_id = %d; PRAGMA user_version = %d",
                              APPLICATION_ID, step->version);
    int result = store_begin(store, err);
    if (result == 0 &&
        (store_execute(store, step->sql, err) != 0 || put_words(store, err) != 0 ||
         store_execute(store, header, err) != 0 || store_commit(store, err) != 0)) {
        store_rollback(store);
        result = -1;
    }
    free(header);
    return result;
}

int store_migrate(struct store *store, int from, const struct migration *steps, size_t n,
                  struct err *err)
{
    if (from != 0 && from < steps[n - 1].version &&
        back_up(store, steps[n - 1].version, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (steps[i].version > from && apply(store, &steps[i], err) != 0)
            return -1;
    return 0;
}

/* Names that this version of the program has and the store's last writer did not. */
static int refresh_words(struct store *store, struct err *err)
{
    if (store_begin(store, err) != 0)
        return -1;
    if (put_words(store, err) == 0 && store_commit(store, err) == 0)
        return 0;
    store_rollback(store);
    return -1;
}

int store_prepare(struct store *store, int version, struct err *err)
{
    size_t n = sizeof migrations / sizeof migrations[0];
    if (store_migrate(store, version, migrations, n, err) != 0)
        return -1;
    return version == 0 ? 0 : refresh_words(store, err);
}
