/* SPDX-License-Identifier: MIT */
#include "store/dictionary.h"

#include <assert.h>
#include <stdlib.h>

#include <zdict.h>
#include <zstd.h>

#include "base/mem.h"
#include "store/compress.h"
#include "store/private.h"

enum {
    SAMPLES = 256,         /* bodies that train a dictionary */
    SAMPLE_MIN = 128,      /* bytes of one that is worth it */
    SAMPLE_MAX = 4096,     /* what is taken of one */
    DICTIONARY = 64 << 10, /* bytes at most */
    LOOK_BACK = 2000,      /* attempts looked at for samples of earlier runs */
    LEVEL = 3,
    LEVEL_BEFORE = 1, /* without a dictionary time buys little */
};

/* What is known of one teacher's bodies. */
struct book {
    struct book *next;
    int64_t teacher;
    int64_t dict; /* 0: not trained yet */
    ZSTD_CDict *compress;
    struct buf samples;
    size_t sizes[SAMPLES], n;
};

/* One dictionary for reading. */
struct page {
    struct page *next;
    int64_t dict;
    ZSTD_DDict *decompress;
};

struct dictionaries {
    struct book *books;
    struct page *pages;
};

struct dictionaries *dictionaries_new(void)
{
    return mem_new(sizeof(struct dictionaries));
}

void dictionaries_forget(struct dictionaries *dictionaries)
{
    for (struct book *book = dictionaries->books, *next; book != NULL; book = next) {
        next = book->next;
        ZSTD_freeCDict(book->compress);
        buf_clear(&book->samples);
        free(book);
    }
    for (struct page *page = dictionaries->pages, *next; page != NULL; page = next) {
        next = page->next;
        ZSTD_freeDDict(page->decompress);
        free(page);
    }
    *dictionaries = (struct dictionaries){0};
}

void dictionaries_free(struct dictionaries *dictionaries)
{
    if (dictionaries == NULL)
        return;
    dictionaries_forget(dictionaries);
    free(dictionaries);
}

/* ---- reading ---- */

static int load_page(struct store *store, int64_t dict, struct page **page,
                     struct err *err)
{
    for (struct page *p = store->dictionaries->pages; p != NULL; p = p->next) {
        if (p->dict == dict) {
            *page = p;
            return 0;
        }
    }
    struct query q = query_start(store, "SELECT data FROM dict WHERE id = ?");
    query_int(&q, dict);
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    if (!row)
        return store_damaged(store, "dictionary", dict, err);
    struct span data = query_get(&q, 0);
    struct page *p = mem_new(sizeof *p);
    p->dict = dict;
    p->decompress = mem_check(ZSTD_createDDict(data.p, data.n));
    query_end(&q);
    p->next = store->dictionaries->pages;
    store->dictionaries->pages = p;
    *page = p;
    return 0;
}

int body_unpack(struct store *store, int64_t attempt, int64_t dict, struct span packed,
                struct buf *out, struct err *err)
{
    struct page *page = NULL;
    if (dict != 0 && load_page(store, dict, &page, err) != 0)
        return -1;
    int rc =
        decompress(store->coder, page == NULL ? NULL : page->decompress, packed, out);
    return rc == 0 ? 0 : store_damaged(store, "the body of attempt", attempt, err);
}

/* ---- training ---- */

static void add_sample(struct book *book, struct span body)
{
    if (body.n < SAMPLE_MIN || book->n == SAMPLES)
        return;
    size_t n = body.n < SAMPLE_MAX ? body.n : SAMPLE_MAX;
    buf_add(&book->samples, body.p, n);
    book->sizes[book->n++] = n;
}

static int put_dictionary(struct store *store, struct book *book, struct span data,
                          struct err *err)
{
    struct query q = query_start(store, "INSERT INTO dict(teacher, data) VALUES(?, ?)");
    query_int(&q, book->teacher);
    query_blob(&q, data);
    if (query_run(&q, err) != 0)
        return -1;
    book->dict = sqlite3_last_insert_rowid(store->db);
    book->compress = mem_check(ZSTD_createCDict(data.p, data.n, LEVEL));
    return 0;
}

/* Bodies too unlike each other to train on leave the book without a dictionary; the next
 * open tries anew. */
static int train(struct store *store, struct book *book, struct err *err)
{
    char *data = mem_new(DICTIONARY);
    size_t n = ZDICT_trainFromBuffer(data, DICTIONARY, book->samples.p, book->sizes,
                                     (unsigned)book->n);
    int result = 0;
    if (!ZDICT_isError(n))
        result = put_dictionary(store, book, (struct span){data, n}, err);
    free(data);
    buf_clear(&book->samples);
    return result;
}

/* ---- books ---- */

static int load_dictionary(struct store *store, struct book *book, struct err *err)
{
    struct query q = query_start(
        store, "SELECT id, data FROM dict WHERE teacher = ? ORDER BY id DESC LIMIT 1");
    query_int(&q, book->teacher);
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    if (!row)
        return 0;
    book->dict = query_get_int(&q, 0);
    struct span data = query_get(&q, 1);
    book->compress = mem_check(ZSTD_createCDict(data.p, data.n, LEVEL));
    query_end(&q);
    return 0;
}

/* Bodies that earlier runs stored, so that many short runs get a dictionary too. */
static int load_samples(struct store *store, struct book *book, struct err *err)
{
    struct query q = query_start(
        store, "SELECT body FROM attempt WHERE id > ? AND teacher = ? AND outcome = ?"
               " AND cuts IS NULL AND dict IS NULL AND body IS NOT NULL"
               " ORDER BY id DESC LIMIT ?");
    query_int(&q, store->last_attempt - LOOK_BACK);
    query_int(&q, book->teacher);
    query_int(&q, OUTCOME_ANSWERED);
    query_int(&q, SAMPLES - 1);
    for (;;) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row)
            return 0;
        buf_reset(&store->scratch);
        if (decompress(store->coder, NULL, query_get(&q, 0), &store->scratch) == 0)
            add_sample(book, buf_view(&store->scratch));
    }
}

static int find_book(struct store *store, int64_t teacher, struct book **found,
                     struct err *err)
{
    for (struct book *book = store->dictionaries->books; book != NULL;
         book = book->next) {
        if (book->teacher == teacher) {
            *found = book;
            return 0;
        }
    }
    struct book *book = mem_new(sizeof *book);
    book->teacher = teacher;
    buf_init(&book->samples, (size_t)SAMPLES * SAMPLE_MAX);
    book->next = store->dictionaries->books;
    store->dictionaries->books = book;
    *found = book;
    if (load_dictionary(store, book, err) != 0)
        return -1;
    return book->dict != 0 ? 0 : load_samples(store, book, err);
}

int body_pack(struct store *store, int64_t teacher, struct span body, bool typical,
              struct span *packed, int64_t *dict, struct err *err)
{
    struct book *book;
    if (find_book(store, teacher, &book, err) != 0)
        return -1;
    if (book->dict == 0 && typical && book->n < SAMPLES) {
        add_sample(book, body);
        if (book->n == SAMPLES && train(store, book, err) != 0)
            return -1;
    }
    *dict = book->dict;
    *packed = book->dict == 0
                  ? compress_level(store->coder, LEVEL_BEFORE, body, &store->packed)
                  : compress_dict(store->coder, book->compress, body, &store->packed);
    return 0;
}
