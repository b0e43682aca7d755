/* SPDX-License-Identifier: MIT */
#include "tests/teacher/book.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/teacher/window.h"

enum { SET_FIRST = 1024, SECOND_US = 1000000, LINE_MAX_BYTES = 512 };

/* Hashes seen, open addressing; 0 stands for an empty place. */
struct set {
    uint64_t *places;
    size_t n, cap;
};

struct book {
    int fd; /* -1: none */
    char *path;
    struct buf line;
    struct set seen;
    struct window second, minute;
    uint64_t requests, billed, refused, redirected, failed, abandoned, hits;
    uint64_t in_flight, max_in_flight;
};

static bool set_put(struct set *set, uint64_t hash)
{
    size_t i = hash & (set->cap - 1);
    while (set->places[i] != 0 && set->places[i] != hash)
        i = (i + 1) & (set->cap - 1);
    if (set->places[i] == hash)
        return false;
    set->places[i] = hash;
    set->n++;
    return true;
}

static void set_add(struct set *set, uint64_t hash)
{
    hash += hash == 0;
    if (2 * set->n >= set->cap) {
        struct set wider = {.cap = set->cap > 0 ? 2 * set->cap : SET_FIRST};
        wider.places = mem_array(wider.cap, sizeof *wider.places);
        for (size_t i = 0; i < set->cap; i++)
            if (set->places[i] != 0)
                set_put(&wider, set->places[i]);
        free(set->places);
        *set = wider;
    }
    set_put(set, hash);
}

int book_open(const char *path, struct book **book, struct err *err)
{
    int fd = -1;
    if (path != NULL &&
        (fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        return file_error(err, "open", path, errno);
    struct book *made = mem_new(sizeof *made);
    made->fd = fd;
    made->path = mem_str(path);
    made->second.bin_us = SECOND_US / WINDOW_BINS;
    made->minute.bin_us = 60 * (uint64_t)SECOND_US / WINDOW_BINS;
    buf_init(&made->line, LINE_MAX_BYTES);
    *book = made;
    return 0;
}

void book_close(struct book *book)
{
    if (book == NULL)
        return;
    if (book->fd >= 0)
        close(book->fd);
    free(book->path);
    free(book->seen.places);
    buf_clear(&book->line);
    free(book);
}

void book_hit(struct book *book)
{
    book->hits++;
}

uint64_t book_arrive(struct book *book, uint64_t at_us)
{
    window_add(&book->second, at_us);
    window_add(&book->minute, at_us);
    if (++book->in_flight > book->max_in_flight)
        book->max_in_flight = book->in_flight;
    return ++book->requests;
}

/* A book that cannot be written is worth nothing: the tests must not believe it. */
static void write_line(struct book *book)
{
    ssize_t n = write(book->fd, book->line.p, book->line.n);
    if (n == (ssize_t)book->line.n)
        return;
    fprintf(stderr, "fake_teacher: cannot write the book '%s'\n", book->path);
    abort();
}

void book_write(struct book *book, uint64_t number, const struct book_entry *entry)
{
    book->refused += entry->status == 429;
    book->redirected += entry->status / 100 == 3;
    book->failed += entry->status / 100 == 5;
    book->billed += entry->billed;
    if (entry->billed)
        set_add(&book->seen, entry->hash);
    if (book->fd < 0)
        return;
    buf_reset(&book->line);
    buf_format(&book->line,
               "{\"n\": %" PRIu64 ", \"at\": %" PRIu64 ".%06" PRIu64
               ", \"hash\": \"%016" PRIx64 "\", \"status\": %d, \"billed\": %s, "
               "\"bytes\": %" PRIu64 ", \"connection\": %" PRIu64 ", \"step\": %u}\n",
               number, entry->at_us / SECOND_US, entry->at_us % SECOND_US, entry->hash,
               entry->status, entry->billed ? "true" : "false", entry->bytes,
               entry->connection, entry->step);
    write_line(book);
}

void book_leave(struct book *book, bool abandoned)
{
    book->in_flight--;
    book->abandoned += abandoned;
}

void book_add_counts(const struct book *book, struct buf *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"requests", book->requests},
        {"billed", book->billed},
        {"distinct", book->seen.n},
        {"refused", book->refused},
        {"redirected", book->redirected},
        {"failed", book->failed},
        {"abandoned", book->abandoned},
        {"in_flight", book->in_flight},
        {"max_in_flight", book->max_in_flight},
        {"per_second_max", book->second.most},
        {"per_minute_max", book->minute.most},
        {"hits", book->hits},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        buf_format(out, "%s\"%s\": %" PRIu64, i == 0 ? "{" : ", ", counts[i].name,
                   counts[i].value);
    buf_byte(out, '}');
}
