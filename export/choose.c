/* SPDX-License-Identifier: MIT */
#include "export/choose.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

const char *choice_name(enum choice choice)
{
    static const char *const names[CHOICES] = {
        [CHOICE_TAKE] = "rows",
        [CHOICE_TRUNCATED] = "truncated",
        [CHOICE_REFUSED] = "refused",
        [CHOICE_EMPTY] = "empty",
        [CHOICE_STRUCTURED] = "structured",
        [CHOICE_NO_LOGPROBS] = "no_logprobs",
        [CHOICE_DUPLICATE] = "duplicates",
    };
    return names[choice];
}

enum choice choose_answer(const struct row *row)
{
    if (row->finish == FINISH_LENGTH)
        return CHOICE_TRUNCATED;
    if ((row->flags & FLAG_REFUSAL) != 0 || row->finish == FINISH_CONTENT_FILTER)
        return CHOICE_REFUSED;
    if ((row->flags & (FLAG_EMPTY | FLAG_ANSWER_IN_REASONING)) != 0)
        return CHOICE_EMPTY;
    return CHOICE_TAKE;
}

/* ---- exact duplicates ---- */

enum { BUCKET_ENTRIES = 64 }; /* 1 KB: one read finds nearly every entry */

struct entry {
    uint64_t hash, length; /* length 0: free */
};

struct seen {
    int fd;
    char *path;       /* for errors */
    uint64_t buckets; /* a power of two */
};

int seen_open(const char *directory, uint64_t rows, struct seen **seen, struct err *err)
{
    char *path = mem_format("%s/seen.tmp", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint64_t buckets = 1;
    while (buckets * BUCKET_ENTRIES < rows * 2 + 1024)
        buckets *= 2;
    if (fd < 0 || unlink(path) != 0 ||
        ftruncate(fd, (off_t)(buckets * BUCKET_ENTRIES * sizeof(struct entry))) != 0) {
        file_error(err, "write", path, errno);
        if (fd >= 0)
            close(fd);
        free(path);
        return -1;
    }
    *seen = mem_new(sizeof **seen);
    **seen = (struct seen){.fd = fd, .path = path, .buckets = buckets};
    return 0;
}

void seen_close(struct seen *seen)
{
    if (seen == NULL)
        return;
    close(seen->fd);
    free(seen->path);
    free(seen);
}

static int read_bucket(struct seen *seen, uint64_t bucket, struct entry *entries,
                       struct err *err)
{
    size_t size = BUCKET_ENTRIES * sizeof *entries;
    ssize_t n;
    do
        n = pread(seen->fd, entries, size, (off_t)(bucket * size));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)size)
        return 0;
    return file_error(err, "read", seen->path, n < 0 ? errno : EIO);
}

static int write_entry(struct seen *seen, uint64_t place, const struct entry *entry,
                       struct err *err)
{
    ssize_t n;
    do
        n = pwrite(seen->fd, entry, sizeof *entry, (off_t)(place * sizeof *entry));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof *entry)
        return 0;
    return file_error(err, "write", seen->path, n < 0 ? errno : ENOSPC);
}

int seen_add(struct seen *seen, struct span text, bool *again, struct err *err)
{
    assert(text.n > 0);
    const struct entry entry = {hash64(text.p, text.n), text.n};
    struct entry entries[BUCKET_ENTRIES];
    for (uint64_t tried = 0; tried < seen->buckets; tried++) {
        uint64_t bucket = (entry.hash + tried) & (seen->buckets - 1);
        if (read_bucket(seen, bucket, entries, err) != 0)
            return -1;
        for (size_t i = 0; i < BUCKET_ENTRIES; i++) {
            if (entries[i].length == 0) {
                *again = false;
                return write_entry(seen, bucket * BUCKET_ENTRIES + i, &entry, err);
            }
            if (entries[i].hash == entry.hash && entries[i].length == entry.length) {
                *again = true;
                return 0;
            }
        }
    }
    return err_set(err, ERR_INTERNAL, "export: more rows than the store counted");
}
