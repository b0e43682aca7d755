/* SPDX-License-Identifier: MIT */
#include "prompts/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { WINDOW = 256 << 10 };

void lines_start(struct lines *lines, int fd, const char *name, size_t max)
{
    *lines = (struct lines){
        .fd = fd, .name = name, .max = max, .bytes = lines->bytes, .cap = lines->cap};
}

/* Reads more behind what is there. */
static int fill(struct lines *lines, struct err *err)
{
    size_t kept = lines->end - lines->start;
    if (lines->start > 0) {
        memmove(lines->bytes, lines->bytes + lines->start, kept);
        lines->at -= lines->start;
        lines->start = 0;
        lines->end = kept;
    }
    if (lines->end == lines->cap) {
        lines->cap = lines->cap == 0 ? WINDOW : lines->cap * 2;
        lines->bytes = mem_grow(lines->bytes, lines->cap, 1);
    }
    ssize_t n;
    do
        n = read(lines->fd, lines->bytes + lines->end, lines->cap - lines->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return file_error(err, "read", lines->name, errno);
    lines->end += (size_t)n;
    lines->ended = n == 0;
    return 0;
}

/* Looks for the end of the line in what was read and not looked at yet; NULL: not there. */
static const char *find_end(struct lines *lines)
{
    size_t n = lines->end - lines->at;
    const char *end = n == 0 ? NULL : memchr(lines->bytes + lines->at, '\n', n);
    lines->at = end == NULL ? lines->end : (size_t)(end - lines->bytes);
    return end;
}

static void advance(struct lines *lines, size_t n)
{
    lines->start += n;
    lines->offset += n;
    lines->at = lines->start;
}

/* Passes over the rest of a line that is too long, keeping its beginning in no memory. */
static int pass_over(struct lines *lines, struct err *err)
{
    for (;;) {
        const char *end = find_end(lines);
        advance(lines, lines->at - lines->start + (end != NULL));
        if (end != NULL || lines->ended)
            return 0;
        if (fill(lines, err) != 0)
            return -1;
    }
}

int lines_next(struct lines *lines, struct line *line, bool *more, struct err *err)
{
    const char *end;
    while ((end = find_end(lines)) == NULL && !lines->ended &&
           lines->at - lines->start <= lines->max + 1) {
        if (fill(lines, err) != 0)
            return -1;
    }
    size_t n = lines->at - lines->start;
    *more = end != NULL || n > 0;
    if (!*more)
        return 0;
    lines->number++;
    *line = (struct line){{lines->bytes + lines->start, n}, lines->offset, false};
    if (n > 0 && line->text.p[n - 1] == '\r')
        line->text.n--;
    if (line->text.n > lines->max) {
        *line = (struct line){{"", 0}, lines->offset, true};
        return pass_over(lines, err);
    }
    advance(lines, n + (end != NULL));
    return 0;
}

void lines_clear(struct lines *lines)
{
    free(lines->bytes);
    *lines = (struct lines){0};
}
