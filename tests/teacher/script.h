/* SPDX-License-Identifier: MIT */
/* script: which request meets what; the language of the fake teacher and of the replays.
 *
 * One text serves two players: the fake teacher plays it on real sockets, the replay
 * tests play it to the crawl in virtual time. A line says which requests it is for, what
 * happens to them, and with what:
 *
 *   # which      what          with
 *   1-3          429           retry-after=2 message="slow down"
 *   4            200           body=answer.json delay=300ms
 *   5            reset         after=100
 *   6            drip 7        every=20ms
 *   8,10,20-     cut 120
 *   every 7      503
 *   *            200           delay=5ms
 *
 * WHICH counts chat completion requests from 1 in the order in which they arrived whole:
 *   N   N-M   N-   and lists of these with commas (no blanks); `every N`: N, 2N, 3N, …;
 *   `*`: all. The first line that is for a request wins; a request without a line gets
 * 200.
 *
 * WHAT is one of
 *   STATUS      200 … 999: a whole reply. 2xx bring an answer, others an error in the
 *               form OpenAI gives it
 *   drip N      an answer whose body comes N bytes at a time
 *   cut N       N bytes of the answer's body, then the connection is closed in good
 * order, though Content-Length promised more bomb SIZE   a body of SIZE bytes (K, M, G)
 * that is no answer reset       the connection is reset close       the connection is
 * closed hang        nothing (more) comes; the connection stays open kill        the
 * client gets SIGKILL, as by its user; the fake teacher needs
 *               --kill-pid-file
 *   refuse      no connection comes about; for replays, since a real teacher cannot see a
 *               request that it refuses
 *
 * WITH are any of
 *   delay=TIME           before anything happens (20ms, 2s, 1m); everywhere but with
 * refuse every=TIME           between two pieces: drip; default 10ms after=N N bytes of
 * the reply, head included, come first: reset, close, hang, kill; default 0
 *   retry-after=TEXT     the header: STATUS
 *   location=TEXT        the header: STATUS
 *   message="TEXT"       the teacher's words: STATUS other than 2xx
 *   body=FILE            the bytes of the body: everywhere but with bomb and refuse. The
 *                        name is the player's to open; the fake teacher looks beside the
 *                        script
 *   header="NAME: TEXT"  one more header, up to STEP_HEADERS_MAX times
 *   chunked              body in chunks, without Content-Length: STATUS, drip, cut
 *   gzip                 the bomb comes compressed, about 1:150
 *   closing              says `Connection: close` and means it: STATUS, drip
 *
 * Values with blanks go into double quotes, which have no escapes. `#` at the beginning
 * of a word starts a comment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { STEP_HEADERS_MAX = 8 };

enum step_kind {
    STEP_REPLY,
    STEP_DRIP,
    STEP_CUT,
    STEP_BOMB,
    STEP_RESET,
    STEP_CLOSE,
    STEP_HANG,
    STEP_KILL,
    STEP_REFUSE,
};

/* What happens to one request. Absent spans were not given. */
struct step {
    enum step_kind kind;
    unsigned line;          /* of the script, 0: the default */
    int status;             /* of the reply, 200 where WHAT names none */
    int64_t amount;         /* drip: bytes at a time; cut: of the body; bomb: in all */
    int64_t after;          /* bytes of the reply that come first */
    int64_t delay_ms;       /* before anything happens */
    int64_t every_ms;       /* between two pieces */
    int64_t retry_after_ms; /* -1: none, or no whole number of seconds */
    struct span retry_after, location, message, body;
    struct span headers[STEP_HEADERS_MAX];
    size_t n_headers;
    bool chunked, gzip, closing;
};

struct script_line;
struct script {
    const struct script_line *lines;
    size_t n;
};

/* Reads a script. Its spans point into the text, the rest lies in the arena. `name` is
 * the file's for messages: ERR_USAGE with the line. */
int script_parse(struct span text, const char *name, struct arena *arena,
                 struct script *script, struct err *err);

/* What happens to the request of this number (from 1); never NULL. */
const struct step *script_find(const struct script *script, uint64_t request);

/* The steps of the lines in their order, to look at all of them before playing. */
const struct step *script_step(const struct script *script, size_t line);
