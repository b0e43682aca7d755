/* SPDX-License-Identifier: MIT */
/* fuzz_prompts: any bytes as a prompt set. What is accepted must be canonical, and the two
 * ways to read a JSONL row must agree. The first byte chooses the reader. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "prompts/plain_row.h"
#include "prompts/prompts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct reader read_jsonl;

static void check_canonical(struct span json, struct arena *arena)
{
    struct span again;
    if (json.p == NULL)
        return;
    int result = json_canonical(json, arena, &again, NULL);
    assert(result == 0 && span_equal(json, again));
}

static void read_set(const char *path, const char *reader, bool skip)
{
    struct prompts *prompts;
    struct prompt prompt;
    struct arena arena = {0};
    struct err err = {0};
    bool more = true;
    if (prompts_open(&path, 1, reader, skip, &prompts, &err) != 0)
        return;
    while (prompts_next(prompts, &prompt, &more, &err) == 0 && more) {
        check_canonical(prompt.messages, &arena);
        check_canonical(prompt.params, &arena);
        check_canonical(prompt.metadata, &arena);
        assert(prompt.messages.n > 2 && prompt.line > 0);
        arena_reset(&arena);
    }
    assert(err.code == ERR_NONE || err.what[0] != '\0');
    prompts_close(prompts);
    arena_clear(&arena);
}

/* The same row with an empty params in front is read through jansson. */
static void compare_ways(struct span row)
{
    struct arena arena = {0};
    struct prompt plain = {0}, careful = {0};
    if (memchr(row.p, '\0', row.n) == NULL && memchr(row.p, '\n', row.n) == NULL &&
        utf8_valid_prefix(row) == row.n && plain_row_parse(row, &arena, &plain)) {
        struct buf text;
        buf_init(&text, row.n + 64);
        buf_text(&text, "{\"params\":{},");
        const char *brace = memchr(row.p, '{', row.n);
        buf_add(&text, brace + 1, row.n - (size_t)(brace + 1 - row.p));
        const struct reader_line line = {buf_view(&text), 1, 0, "row"};
        int result = read_jsonl.parse(&line, &arena, &careful, NULL);
        assert(result == 0);
        assert(span_equal(plain.messages, careful.messages));
        assert(span_equal(plain.metadata, careful.metadata));
        assert(span_equal(plain.id, careful.id));
        buf_clear(&text);
    }
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const readers[] = {"auto", "text", "jsonl"};
    if (size < 2)
        return 0;
    int fd = memfd_create("prompts", 0);
    ssize_t written = write(fd, data + 1, size - 1);
    assert(written == (ssize_t)size - 1);
    char *path = mem_format("/proc/self/fd/%d", fd);
    read_set(path, readers[data[0] % 3], data[0] & 4);
    compare_ways((struct span){(const char *)data + 1, size - 1});
    free(path);
    close(fd);
    return 0;
}
