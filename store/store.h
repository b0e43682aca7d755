/* SPDX-License-Identifier: MIT */
/* store: one SQLite file that keeps every paid answer for ever.
 *
 * The ledger's operations (plan, take, sent, settled) come first and know nothing of how
 * blobs are packed; reading comes after. One process writes, held by a kernel lock on
 * STORE.lock, and only its connection checkpoints the WAL. Everything runs on one thread at
 * a time; which one does not matter. Schema and views: doc/SCHEMA.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/record.h"

struct store;

enum store_mode {
    STORE_READ,   /* must exist: else ERR_NO_STORE */
    STORE_WRITE,  /* must exist; takes the lock: else ERR_LOCKED with its holder */
    STORE_CREATE, /* made when absent; takes the lock */
};

/* Errors: ERR_STORAGE (permissions, disk), ERR_LOCKED, ERR_NEWER, ERR_DAMAGED (no store of
 * ours, broken header), ERR_NO_STORE. Opening for writing turns intents that an earlier run
 * left behind (it was killed) into ambiguous attempts. */
int store_open(const char *path, enum store_mode mode, struct store **store,
               struct err *err);
/* Rolls back what was not committed. NULL is fine. */
void store_close(struct store *store);

/* All writing happens between begin and commit; FULL durability when commit returns 0. */
int store_begin(struct store *store, struct err *err);
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);

/* ---- what is asked, by whom, under which terms --------------------------------------- */

struct teacher_tag {
    const char *identity; /* what the key holds; default: the model asked for */
    const char *wire;     /* codec name */
    const char *model;    /* asked for */
    const char *name;     /* stanza's name or host:port; information only */
    const char *license, *terms_url, *terms_date, *training,
        *basis; /* NULL: not stated */
};

/* Finds or adds; ids are > 0. terms is the id of the tag every answer keeps. */
int store_teacher(struct store *store, const struct teacher_tag *tag, int64_t *teacher,
                  int64_t *terms, struct err *err);

/* A form is what all requests of a run share: the parameters merged of stanza and options
 * (canonical JSON object) and the system prompt (absent: none). Finds or adds. */
int store_form(struct store *store, struct span params, struct span system, int64_t *form,
               struct err *err);

/* Starts a run; command is the command line as typed, without secrets. */
int store_run_start(struct store *store, const char *command, int64_t now_ms,
                    int64_t *run, struct err *err);
int store_run_end(struct store *store, int64_t run, int64_t now_ms, int exit_code,
                  struct err *err);

/* ---- planning -------------------------------------------------------------------------- */

struct plan_item {
    const struct prompt *prompt;
    unsigned char prompt_hash[SHA256_BYTES]; /* over messages and params as read */
    unsigned char key[SHA256_BYTES];         /* of edition 0, whatever `edition` says */
    enum kind kind;
    int64_t teacher, form, run;
    int sample, edition;
};

/* What planning found, added up over calls. "Here" means for this item's request. */
struct plan_counts {
    uint64_t requests;   /* distinct ones */
    uint64_t duplicates; /* items that collapsed into an earlier one of this plan */
    uint64_t added;      /* the store did not have */
    uint64_t answered;   /* already paid for */
    uint64_t failed;    /* failed for good earlier; `harvest retry --failed` asks again */
    uint64_t held;      /* ambiguous and held by hold_ambiguous */
    uint64_t ambiguous; /* ambiguous and to be asked again */
    uint64_t todo;      /* to be asked now */
};

/* Starts collecting what this run has to ask. Inside a transaction. */
int store_plan_start(struct store *store, bool hold_ambiguous, struct err *err);
/* Adds one request. The newest edition that the store has stands for it; only where that
 * is answered and lower than item->edition, one of item->edition is added. A prompt whose
 * id or metadata changed since the last run takes the new ones; in one plan the first wins.
 * So do teacher, form and prompt of a request that is known by its key alone. */
int store_plan(struct store *store, const struct plan_item *item,
               struct plan_counts *counts, struct err *err);

/* The key of a higher edition, made of that of edition 0. May be in place. */
void store_edition_key(const unsigned char key[SHA256_BYTES], int edition,
                       unsigned char edition_key[SHA256_BYTES]);

/* ---- asking ---------------------------------------------------------------------------- */

/* A request that is to be asked; spans live in the arena given to store_take. */
struct todo {
    int64_t request;
    int64_t teacher, form;
    int sample, edition;
    bool was_ambiguous; /* an earlier attempt may have been billed */
    struct span messages,
        params; /* of the prompt; the form is the one just planned with */
};

/* The next max requests of the plan after request id `after` (0 to begin), in the order of
 * planning. Each goes into an arena of its own, made by the caller: fill(arg) returns the
 * arena for the next one and the place for the todo. *taken < max: no more. */
typedef struct todo *store_fill(void *arg, struct arena **arena);
int store_take(struct store *store, int64_t after, size_t max, store_fill *fill,
               void *arg, size_t *taken, struct err *err);

/* The intent to send, to be committed before the first byte leaves. */
int store_sent(struct store *store, int64_t run, int64_t request, int64_t now_ms,
               int64_t *attempt, struct err *err);
/* Names a further request that the attempt is for (n > 1), before it is committed. */
int store_serves(struct store *store, int64_t attempt, int64_t request, struct err *err);
/* Takes an intent back: it was never sent (the run stopped first). */
int store_unsent(struct store *store, int64_t attempt, struct err *err);

/* How an exchange ended. */
struct attempt {
    int64_t attempt, run, request, teacher, terms;
    int64_t sent_ms, ended_ms;
    enum outcome outcome;
    enum reason reason;
    int status;    /* HTTP, 0: none came */
    int curl_code; /* 0: fine */
    struct usage usage;
    struct span request_id;  /* the server's, from header or body */
    struct span model;       /* that served; absent: not said */
    struct span fingerprint; /* system_fingerprint */
    struct span limits;      /* rate-limit headers seen, "name: value\n" each */
    struct span note;        /* the teacher's own words on failure; one line */
    struct span body;        /* as received, decoded from transfer and content encoding */
};

/* Ends an attempt: stores it with its body, compressed, and, when it was answered, the
 * answers (answers[i] is for requests[i]; with n == 0 nothing is answered). Packs every
 * track, and cuts the arrays of those that `understood` vouches for out of the stored body;
 * sets FLAG_BODY_WHOLE where an array stays in. A failed or ambiguous attempt marks its
 * requests so. Should a request have an answer already, the first one stays its answer and
 * the body keeps the second. */
int store_settled(struct store *store, const struct attempt *attempt,
                  struct answer *answers, const int64_t *requests, size_t n,
                  struct err *err);

/* ---- retry ----------------------------------------------------------------------------- */

enum retry_what { RETRY_FAILED = 1, RETRY_AMBIGUOUS = 2, RETRY_TRUNCATED = 4 };

struct retry_counts {
    uint64_t failed, ambiguous, truncated;
};

/* Makes failed and ambiguous requests plannable again, the latter even under hold; gives
 * truncated ones a request of a higher edition beside the answered one. Own transaction. */
int store_retry(struct store *store, unsigned what, struct retry_counts *counts,
                struct err *err);

/* ---- reading --------------------------------------------------------------------------- */

struct store_counts {
    uint64_t prompts, attempts;
    uint64_t requests; /* the sum of the next five; editions count */
    uint64_t answered, failed, ambiguous, planned, in_flight;
    uint64_t truncated, refused, empty, flagged; /* among the answered */
    int64_t prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens;
    uint64_t with_logprobs;
    uint64_t bytes; /* of the file and its WAL */
};
int store_count(struct store *store, struct store_counts *counts, struct err *err);

/* The reasons of failed requests with their counts, most frequent first. */
struct failure_count {
    enum reason reason;
    int status;
    uint64_t count;
    char note[200]; /* the words of one of them */
};
int store_failures(struct store *store, struct failure_count *rows, size_t max, size_t *n,
                   struct err *err);

/* One answered request as the export and `show` see it. Spans live until the next step. */
struct row {
    int64_t request, attempt;
    unsigned char key[SHA256_BYTES];
    unsigned char prompt_hash[SHA256_BYTES];
    struct span prompt_id, messages, params, metadata, system;
    struct span teacher; /* its identity, which is the same from every address */
    struct span wire, model_asked, model_served;
    struct span form_params;
    enum kind kind;
    int sample, edition;
    enum finish finish;
    unsigned flags;
    struct usage usage;                                  /* of the attempt */
    struct span content, reasoning, refusal, tool_calls; /* JSON text, absent or value */
    struct span license, training;
};

/* Rows in the order of their keys; only answered ones, newest edition of each. */
struct cursor;
struct cursor_filter {
    bool only_selected; /* those whose prompt was given to store_select */
};
int cursor_open(struct store *store, const struct cursor_filter *filter,
                struct cursor **cursor, struct err *err);
/* *row NULL at the end. */
int cursor_next(struct cursor *cursor, const struct row **row, struct err *err);
/* Distributions of the current row; see store_tracks. */
int cursor_tracks(struct cursor *cursor, struct arena *arena, struct track *tracks,
                  struct err *err);
void cursor_close(struct cursor *cursor);

/* Names a prompt for cursor_filter.only_selected. Works on a read-only store. */
int store_select(struct store *store, const unsigned char prompt_hash[SHA256_BYTES],
                 struct err *err);

/* The distributions of one answer, bit for bit as the teacher gave them, in the arena:
 * TRACKS tracks, positions == 0 where there is none. The texts of tokens live until the
 * store is closed or rolled back. What could not be packed is in the body alone
 * (FLAG_BODY_WHOLE). */
int store_tracks(struct store *store, int64_t request, struct arena *arena,
                 struct track *tracks, struct err *err);

/* Finds requests whose prompt id is equal to the text, and then those whose key begins with
 * it as hex digits. At most max; *n tells how many there are. */
int store_find(struct store *store, struct span key_or_id, int64_t *requests, size_t max,
               size_t *n, struct err *err);
/* One request, answered or not (*answered). Spans in the arena. */
int store_row(struct store *store, int64_t request, struct arena *arena, struct row *row,
              bool *answered, struct err *err);
/* The attempts for a request, oldest first, bodies restored to JSON equal to the reply. */
int store_attempts(struct store *store, int64_t request, struct arena *arena,
                   struct attempt **attempts, size_t *n, struct err *err);
