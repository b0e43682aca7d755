/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const char *advice(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "make room there and run the same command again";
    case EACCES:
    case EPERM:
        return "check owner and permissions of the path, or choose another one";
    case EROFS:
        return "the file system is mounted read-only: choose another path";
    case ENOENT:
        return "check the spelling of the path";
    case ENAMETOOLONG:
        return "choose a shorter path";
    case EFBIG:
        return "the limit on file sizes is reached: raise it (ulimit -f)";
    case EMFILE:
    case ENFILE:
        return "the limit on open files is reached: raise it (ulimit -n)";
    case EIO:
        return "look for disk errors in the system's log";
    default:
        return NULL;
    }
}

int file_error(struct err *err, const char *doing, const char *path, int error)
{
    err_set(err, ERR_STORAGE, "%s '%s': %s", doing, path, strerror(error));
    const char *fix = advice(error);
    if (fix != NULL)
        err_fix(err, "%s", fix);
    return -1;
}

static int read_all(int fd, const char *path, struct buf *out, struct err *err)
{
    for (;;) {
        size_t step = 1 << 16, room = out->max - out->n;
        /* At the ceiling one byte more tells the end from a file that is too long. */
        char extra;
        if (room != 0 && !buf_reserve(out, step < room ? step : room))
            return err_set(err, ERR_STORAGE, "read '%s': no room", path);
        ssize_t n = room == 0 ? read(fd, &extra, 1)
                              : read(fd, out->p + out->n, step < room ? step : room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_error(err, "read", path, errno);
        if (n == 0)
            return 0;
        if (room == 0) {
            err_set(err, ERR_STORAGE, "'%s' is longer than %zu bytes", path, out->max);
            return -1;
        }
        out->n += (size_t)n;
        out->p[out->n] = '\0';
    }
}

int file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_error(err, "open", path, errno);
    struct buf bytes;
    buf_init(&bytes, max);
    int result = read_all(fd, path, &bytes, err);
    close(fd);
    if (result == 0) {
        buf_span(out, buf_view(&bytes));
        if (out->overflowed)
            result = err_set(err, ERR_STORAGE, "'%s' is too long", path);
    }
    buf_clear(&bytes);
    return result;
}

int file_sync_directory(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return file_error(err, "open", path, errno);
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error == 0 ? 0 : file_error(err, "write", path, error);
}

static int write_all(int fd, struct span bytes)
{
    while (bytes.n != 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return 0;
}

/* The error, 0 when the bytes are on the disk. */
static int write_durably(int fd, struct span bytes)
{
    int error = write_all(fd, bytes);
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && error == 0)
        error = errno;
    return error;
}

/* "a/b" -> "a", "b" -> ".", "/b" -> "/". */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_str(".");
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    char *directory = mem_new(n + 1);
    memcpy(directory, path, n);
    return directory;
}

/* A new file beside path, its name owned by the caller; -1 and errno on failure. */
static int create_beside(const char *path, char **name)
{
    for (unsigned i = 0;; i++) {
        *name = mem_format("%s.%ld-%u.tmp", path, (long)getpid(), i);
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
        free(*name);
    }
}

int file_publish(const char *path, struct span bytes, struct err *err)
{
    char *temporary = NULL, *directory = directory_of(path);
    int result = -1;
    int fd = create_beside(path, &temporary);
    if (fd < 0) {
        file_error(err, "write", path, errno);
        goto out;
    }
    int error = write_durably(fd, bytes);
    if (error == 0 && rename(temporary, path) != 0)
        error = errno;
    if (error != 0) {
        unlink(temporary);
        file_error(err, "write", path, error);
        goto out;
    }
    result = file_sync_directory(directory, err);
out:
    free(temporary);
    free(directory);
    return result;
}
