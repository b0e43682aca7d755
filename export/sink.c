/* SPDX-License-Identifier: MIT */
#include "export/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { FLUSH_BYTES = 1 << 20 };

struct sink {
    char *directory, *suffix;
    uint64_t shard_bytes;
    int fd;     /* of the shard being written, -1: none */
    char *path; /* of that */
    struct buf pending;
    struct sha256 *sha;
    struct shard *shards; /* the last one is being written when fd >= 0 */
    size_t n, cap;
};

int sink_open(const char *directory, const char *suffix, int64_t shard_bytes,
              struct sink **sink, struct err *err)
{
    char *data = mem_format("%s/data", directory);
    int result = mkdir(data, 0777) == 0 ? 0 : file_error(err, "make", data, errno);
    free(data);
    if (result != 0)
        return -1;
    *sink = mem_new(sizeof **sink);
    (*sink)->directory = mem_str(directory);
    (*sink)->suffix = mem_str(suffix);
    (*sink)->shard_bytes = shard_bytes > 0 ? (uint64_t)shard_bytes : 1;
    (*sink)->fd = -1;
    buf_init(&(*sink)->pending, SIZE_MAX / 2);
    (*sink)->sha = sha256_new();
    return 0;
}

void sink_close(struct sink *sink)
{
    if (sink == NULL)
        return;
    if (sink->fd >= 0)
        close(sink->fd);
    sha256_free(sink->sha);
    buf_clear(&sink->pending);
    free(sink->shards);
    free(sink->path);
    free(sink->directory);
    free(sink->suffix);
    free(sink);
}

static char *part_path(const struct sink *sink, size_t shard)
{
    return mem_format("%s/data/train-%05zu.part", sink->directory, shard);
}

static int start_shard(struct sink *sink, struct err *err)
{
    free(sink->path);
    sink->path = part_path(sink, sink->n);
    sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (sink->fd < 0)
        return file_error(err, "write", sink->path, errno);
    if (sink->n == sink->cap) {
        sink->cap = sink->cap == 0 ? 16 : sink->cap * 2;
        sink->shards = mem_grow(sink->shards, sink->cap, sizeof *sink->shards);
    }
    sink->shards[sink->n++] = (struct shard){0};
    return 0;
}

static int flush(struct sink *sink, struct err *err)
{
    struct span rest = buf_view(&sink->pending);
    sha256_add(sink->sha, rest.p, rest.n);
    while (rest.n > 0) {
        ssize_t n = write(sink->fd, rest.p, rest.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_error(err, "write", sink->path, errno);
        rest.p += n;
        rest.n -= (size_t)n;
    }
    buf_reset(&sink->pending);
    return 0;
}

static int end_shard(struct sink *sink, struct err *err)
{
    if (flush(sink, err) != 0)
        return -1;
    int error = fsync(sink->fd) == 0 ? 0 : errno;
    if (close(sink->fd) != 0 && error == 0)
        error = errno;
    sink->fd = -1;
    if (error != 0)
        return file_error(err, "write", sink->path, error);
    unsigned char digest[SHA256_BYTES];
    sha256_end(sink->sha, digest);
    hex_encode(digest, sizeof digest, sink->shards[sink->n - 1].sha256);
    return 0;
}

int sink_row(struct sink *sink, struct span row, struct err *err)
{
    if (sink->fd < 0 && start_shard(sink, err) != 0)
        return -1;
    struct shard *shard = &sink->shards[sink->n - 1];
    buf_span(&sink->pending, row);
    shard->rows++;
    shard->bytes += row.n;
    if (shard->bytes >= sink->shard_bytes)
        return end_shard(sink, err);
    return sink->pending.n >= FLUSH_BYTES ? flush(sink, err) : 0;
}

int sink_finish(struct sink *sink, struct err *err)
{
    if (sink->fd >= 0 && end_shard(sink, err) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; result == 0 && i < sink->n; i++) {
        char name[128];
        sink_name(sink, i, name, sizeof name);
        char *from = part_path(sink, i), *to = mem_format("%s/%s", sink->directory, name);
        if (rename(from, to) != 0)
            result = file_error(err, "rename", from, errno);
        free(from);
        free(to);
    }
    char *data = mem_format("%s/data", sink->directory);
    if (result == 0)
        result = file_sync_directory(data, err);
    free(data);
    return result;
}

const struct shard *sink_shards(const struct sink *sink, size_t *n)
{
    *n = sink->n;
    return sink->shards;
}

void sink_name(const struct sink *sink, size_t shard, char *name, size_t size)
{
    snprintf(name, size, "data/train-%05zu-of-%05zu%s", shard, sink->n, sink->suffix);
}
