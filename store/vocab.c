/* SPDX-License-Identifier: MIT */
#include "store/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/private.h"

enum { ABSENT = -1 }; /* length of a list of bytes that is not there */

struct entry {
    int64_t id;
    const char *token; /* NULL: not read yet; the list of bytes follows the text */
    uint32_t token_n;
    int32_t bytes_n;
    uint32_t hash;
};

struct vocab {
    struct vocab *next;
    int64_t teacher;
    struct entry *entries;
    uint32_t n, cap;
    uint32_t saved;  /* the first so many are rows */
    bool all;        /* every entry is in memory and in the table */
    uint32_t *slots; /* open addressing: 1 + number, 0 free */
    uint32_t mask;
    struct arena texts;
};

void vocab_free(struct vocab *list)
{
    while (list != NULL) {
        struct vocab *next = list->next;
        free(list->entries);
        free(list->slots);
        arena_clear(&list->texts);
        free(list);
        list = next;
    }
}

/* ---- entries ---- */

static void make_room(struct vocab *vocab, uint32_t n)
{
    if (n <= vocab->cap)
        return;
    uint32_t cap = vocab->cap < 1024 ? 1024 : vocab->cap;
    while (cap < n)
        cap *= 2;
    vocab->entries = mem_grow(vocab->entries, cap, sizeof *vocab->entries);
    memset(vocab->entries + vocab->cap, 0, (cap - vocab->cap) * sizeof *vocab->entries);
    vocab->cap = cap;
}

static void fill(struct vocab *vocab, struct entry *entry, const struct logprob *token)
{
    size_t bytes_n = token->bytes.p == NULL ? 0 : token->bytes.n;
    char *text = arena_alloc(&vocab->texts, token->token.n + bytes_n + 1);
    memcpy(text, token->token.p, token->token.n);
    if (bytes_n != 0)
        memcpy(text + token->token.n, token->bytes.p, bytes_n);
    entry->id = token->id;
    entry->token = text;
    entry->token_n = (uint32_t)token->token.n;
    entry->bytes_n = token->bytes.p == NULL ? ABSENT : (int32_t)bytes_n;
}

static void token_of(const struct entry *entry, struct logprob *token)
{
    token->id = entry->id;
    token->token = (struct span){entry->token, entry->token_n};
    token->bytes = (struct span){NULL, 0};
    if (entry->bytes_n != ABSENT)
        token->bytes =
            (struct span){entry->token + entry->token_n, (size_t)entry->bytes_n};
}

/* ---- the table ---- */

static uint32_t hash_of(const struct logprob *token)
{
    uint64_t h = hash64(token->token.p, token->token.n) ^ (uint64_t)token->id;
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
    if (token->bytes.p != NULL)
        h = (h ^ hash64(token->bytes.p, token->bytes.n)) * 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32);
}

static bool is_entry(const struct entry *entry, const struct logprob *token,
                     uint32_t hash)
{
    int64_t bytes_n = token->bytes.p == NULL ? ABSENT : (int64_t)token->bytes.n;
    return entry->hash == hash && entry->id == token->id &&
           entry->token_n == token->token.n && entry->bytes_n == bytes_n &&
           memcmp(entry->token, token->token.p, token->token.n) == 0 &&
           (bytes_n <= 0 ||
            memcmp(entry->token + entry->token_n, token->bytes.p, (size_t)bytes_n) == 0);
}

static void put_slot(struct vocab *vocab, uint32_t hash, uint32_t number)
{
    uint32_t i = hash & vocab->mask;
    while (vocab->slots[i] != 0)
        i = (i + 1) & vocab->mask;
    vocab->slots[i] = number + 1;
}

/* Half empty at least. */
static void make_slots(struct vocab *vocab)
{
    uint32_t size = 4096;
    while (size < vocab->n * 2 + 2)
        size *= 2;
    if (vocab->slots != NULL && size <= vocab->mask + 1)
        return;
    free(vocab->slots);
    vocab->slots = mem_array(size, sizeof *vocab->slots);
    vocab->mask = size - 1;
    for (uint32_t i = 0; i < vocab->n; i++)
        put_slot(vocab, vocab->entries[i].hash, i);
}

/* The number of a token; VOCAB_MAX: there is none yet. */
static uint32_t find(const struct vocab *vocab, const struct logprob *token,
                     uint32_t hash)
{
    for (uint32_t i = hash & vocab->mask; vocab->slots[i] != 0;
         i = (i + 1) & vocab->mask) {
        uint32_t number = vocab->slots[i] - 1;
        if (is_entry(&vocab->entries[number], token, hash))
            return number;
    }
    return VOCAB_MAX;
}

static bool find_or_add(struct vocab *vocab, const struct logprob *token, uint32_t hash,
                        uint32_t *number)
{
    *number = find(vocab, token, hash);
    if (*number != VOCAB_MAX)
        return true;
    if (vocab->n == VOCAB_MAX || token->token.n > INT32_MAX || token->bytes.n > INT32_MAX)
        return false;
    make_room(vocab, vocab->n + 1);
    struct entry *entry = &vocab->entries[vocab->n];
    fill(vocab, entry, token);
    entry->hash = hash;
    *number = vocab->n++;
    put_slot(vocab, hash, *number);
    make_slots(vocab);
    return true;
}

/* Slot, entry and text of a token each wait for memory: asked for in three walks over a
 * group of tokens, they wait together. */
bool vocab_numbers(struct vocab *vocab, const struct logprob *const *tokens, uint32_t n,
                   uint32_t *numbers)
{
    enum { GROUP = 64 };
    uint32_t hashes[GROUP];
    for (uint32_t from = 0; from < n; from += GROUP) {
        uint32_t m = n - from < GROUP ? n - from : GROUP;
        for (uint32_t i = 0; i < m; i++) {
            hashes[i] = hash_of(tokens[from + i]);
            __builtin_prefetch(&vocab->slots[hashes[i] & vocab->mask]);
        }
        for (uint32_t i = 0; i < m; i++) {
            uint32_t slot = vocab->slots[hashes[i] & vocab->mask];
            if (slot != 0)
                __builtin_prefetch(&vocab->entries[slot - 1]);
        }
        for (uint32_t i = 0; i < m; i++) {
            uint32_t slot = vocab->slots[hashes[i] & vocab->mask];
            if (slot != 0)
                __builtin_prefetch(vocab->entries[slot - 1].token);
        }
        for (uint32_t i = 0; i < m; i++)
            if (!find_or_add(vocab, tokens[from + i], hashes[i], &numbers[from + i]))
                return false;
    }
    return true;
}

/* ---- rows ---- */

static void read_token(const struct query *q, struct logprob *token)
{
    token->id = query_get_or(q, 0, -1);
    token->token = query_get(q, 1);
    token->bytes = query_get(q, 2);
}

static int read_size(struct store *store, struct vocab *vocab, struct err *err)
{
    struct query q = query_start(store, "SELECT max(n) + 1 FROM vocab WHERE teacher = ?");
    query_int(&q, vocab->teacher);
    int64_t n;
    if (query_value(&q, 0, &n, err) != 0)
        return -1;
    if (n < vocab->n || n > VOCAB_MAX)
        return store_damaged(store, "the vocabulary of teacher", vocab->teacher, err);
    make_room(vocab, (uint32_t)n);
    vocab->n = vocab->saved = (uint32_t)n;
    return 0;
}

static int read_all(struct store *store, struct vocab *vocab, struct err *err)
{
    struct query q = query_start(
        store,
        "SELECT token_id, token, bytes, n FROM vocab WHERE teacher = ? ORDER BY n");
    query_int(&q, vocab->teacher);
    for (uint32_t i = 0;; i++) {
        bool row;
        if (query_row(&q, &row, err) != 0)
            return -1;
        if (!row && i == vocab->n)
            break;
        if (!row || query_get_int(&q, 3) != i) {
            query_end(&q);
            return store_damaged(store, "the vocabulary of teacher", vocab->teacher, err);
        }
        struct logprob token;
        read_token(&q, &token);
        if (vocab->entries[i].token == NULL)
            fill(vocab, &vocab->entries[i], &token);
        vocab->entries[i].hash = hash_of(&token);
    }
    vocab->all = true;
    make_slots(vocab);
    return 0;
}

int vocab_open(struct store *store, int64_t teacher, bool all, struct vocab **vocab,
               struct err *err)
{
    struct vocab *v = store->vocabs;
    while (v != NULL && v->teacher != teacher)
        v = v->next;
    if (v == NULL) {
        v = mem_new(sizeof *v);
        v->teacher = teacher;
        v->next = store->vocabs;
        store->vocabs = v;
    }
    if (all && !v->all && (read_size(store, v, err) != 0 || read_all(store, v, err) != 0))
        return -1;
    *vocab = v;
    return 0;
}

int vocab_save(struct store *store, struct vocab *vocab, struct err *err)
{
    for (; vocab->saved < vocab->n; vocab->saved++) {
        struct logprob token;
        token_of(&vocab->entries[vocab->saved], &token);
        struct query q = query_start(store, "INSERT INTO vocab(teacher, n, token_id, "
                                            "token, bytes) VALUES(?, ?, ?, ?, ?)");
        query_int(&q, vocab->teacher);
        query_int(&q, vocab->saved);
        query_int_or_null(&q, token.id, -1);
        query_text(&q, token.token);
        query_text(&q, token.bytes);
        if (query_run(&q, err) != 0)
            return -1;
    }
    return 0;
}

static int read_entry(struct store *store, struct vocab *vocab, uint32_t number,
                      struct err *err)
{
    struct query q = query_start(
        store, "SELECT token_id, token, bytes FROM vocab WHERE teacher = ? AND n = ?");
    query_int(&q, vocab->teacher);
    query_int(&q, number);
    bool row;
    if (query_row(&q, &row, err) != 0)
        return -1;
    if (!row)
        return store_damaged(store, "the vocabulary of teacher", vocab->teacher, err);
    struct logprob token;
    read_token(&q, &token);
    fill(vocab, &vocab->entries[number], &token);
    query_end(&q);
    return 0;
}

int vocab_token(struct store *store, struct vocab *vocab, uint32_t number,
                struct logprob *token, struct err *err)
{
    if (number >= vocab->n && read_size(store, vocab, err) != 0)
        return -1; /* a run has added entries since */
    if (number >= vocab->n)
        return store_damaged(store, "the vocabulary of teacher", vocab->teacher, err);
    if (vocab->entries[number].token == NULL &&
        read_entry(store, vocab, number, err) != 0)
        return -1;
    token_of(&vocab->entries[number], token);
    return 0;
}
