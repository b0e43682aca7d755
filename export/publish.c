/* SPDX-License-Identifier: MIT */
#include "export/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "export/manifest.h"

struct publish {
    char *dir, *parent, *temp; /* absolute */
    char *kept;                /* name of a directory that somebody's files are in */
    int lock;                  /* on temp, -1: none */
};

enum target { TARGET_ABSENT, TARGET_EMPTY, TARGET_OURS };

/* ---- what is there ---- */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int look_inside(const char *dir, enum target *target, struct err *err)
{
    DIR *stream = opendir(dir);
    if (stream == NULL)
        return file_error(err, "open", dir, errno);
    struct dirent *entry;
    do
        entry = readdir(stream);
    while (entry != NULL && is_dots(entry->d_name));
    bool empty = entry == NULL, ours = false;
    closedir(stream);
    if (!empty && manifest_find(dir, &ours, err) != 0)
        return -1;
    if (!empty && !ours) {
        err_set(err, ERR_USAGE, "'%s' is not empty and holds no dataset of harvest", dir);
        err_safe(err, "nothing in it was touched");
        return err_fix(err, "choose another directory, or one that does not exist yet");
    }
    *target = empty ? TARGET_EMPTY : TARGET_OURS;
    return 0;
}

static int look_at(const char *dir, enum target *target, struct err *err)
{
    struct stat status;
    if (stat(dir, &status) != 0) {
        if (errno != ENOENT)
            return file_error(err, "open", dir, errno);
        *target = TARGET_ABSENT;
        return 0;
    }
    if (!S_ISDIR(status.st_mode)) {
        err_set(err, ERR_USAGE, "'%s' is not a directory", dir);
        return err_fix(err, "choose another path with -o");
    }
    return look_inside(dir, target, err);
}

/* ---- removing ---- */

static bool has_ends(const char *name, const char *start, const char *end)
{
    size_t n = strlen(name), s = strlen(start), e = strlen(end);
    return n >= s + e && memcmp(name, start, s) == 0 && memcmp(name + n - e, end, e) == 0;
}

/* "train-" and then digits, and what follows them: of a shard, or of one being written.
 */
static bool is_shard(const char *name)
{
    if (!has_ends(name, "train-", ""))
        return false;
    size_t digits = strspn(name + 6, "0123456789");
    const char *rest = name + 6 + digits;
    if (digits < 5 || strcmp(rest, ".part") == 0)
        return digits >= 5;
    if (!has_ends(rest, "-of-", ""))
        return false;
    digits = strspn(rest + 4, "0123456789");
    return digits >= 5 && rest[4 + digits] == '.' &&
           strchr(rest + 5 + digits, '.') == NULL;
}

static bool is_top(const char *name)
{
    return strcmp(name, "manifest.json") == 0 ||
           has_ends(name, "manifest.json.", ".tmp") || strcmp(name, "seen.tmp") == 0;
}

static void remove_files(int parent, const char *name, bool (*is_known)(const char *))
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL)
        if (is_known(entry->d_name))
            unlinkat(fd, entry->d_name, 0);
    closedir(stream);
}

/* Removes what exports make in a directory, and the directory if nothing else is in it.
 */
static bool remove_ours(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    remove_files(fd, "data", is_shard);
    unlinkat(fd, "data", AT_REMOVEDIR);
    remove_files(fd, ".", is_top);
    close(fd);
    return rmdir(directory) == 0 || errno == ENOENT;
}

/* What somebody has put into a dataset is theirs: it moves to DIR.kept-N. */
static int set_aside(struct publish *publish, struct err *err)
{
    int error = EEXIST;
    for (int i = 1; error == EEXIST && i < 1000; i++) {
        free(publish->kept);
        publish->kept = mem_format("%s.kept-%d", publish->dir, i);
        error = renameat2(AT_FDCWD, publish->temp, AT_FDCWD, publish->kept,
                          RENAME_NOREPLACE) == 0
                    ? 0
                    : errno;
    }
    return error == 0 ? 0 : file_error(err, "rename", publish->temp, error);
}

/* ---- the directory beside ---- */

/* The parent's real path and the last part of a name that is not there yet. */
static char *resolve_new(const char *dir)
{
    char *copy = mem_str(dir), *real = NULL;
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    char *slash = strrchr(copy, '/');
    const char *base = slash == NULL ? copy : slash + 1;
    if (slash != NULL)
        *slash = '\0';
    char *parent = realpath(slash == NULL ? "." : slash == copy ? "/" : copy, NULL);
    if (parent != NULL)
        real = mem_format("%s/%s", strcmp(parent, "/") == 0 ? "" : parent, base);
    free(parent);
    free(copy);
    return real;
}

static int name_paths(struct publish *publish, const char *dir, struct err *err)
{
    publish->dir = realpath(dir, NULL);
    if (publish->dir == NULL && errno == ENOENT && *dir != '\0')
        publish->dir = resolve_new(dir);
    if (publish->dir == NULL)
        return file_error(err, "make", dir, errno);
    char *slash = strrchr(publish->dir, '/');
    if (slash[1] == '\0')
        return err_set(err, ERR_USAGE, "'%s' cannot hold a dataset", dir);
    int n = (int)(slash - publish->dir);
    publish->parent = n == 0 ? mem_str("/") : mem_format("%.*s", n, publish->dir);
    publish->temp = mem_format("%.*s/.%s.harvest-tmp", n, publish->dir, slash + 1);
    return 0;
}

/* A lock that the kernel drops when the process ends. *fd is set when that worked. */
static int take_lock(const struct publish *publish, const char *path, int *fd,
                     struct err *err)
{
    int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0)
        return file_error(err, "open", path, errno);
    if (flock(opened, LOCK_EX | LOCK_NB) == 0) {
        *fd = opened;
        return 0;
    }
    int error = errno;
    close(opened);
    if (error != EWOULDBLOCK)
        return file_error(err, "lock", path, error);
    err_set(err, ERR_LOCKED, "another export to '%s' is going on", publish->dir);
    return err_fix(err, "wait until it has ended, or choose another directory with -o");
}

/* False when the name has come to mean another directory since it was opened. */
static bool is_still(const char *path, int fd)
{
    struct stat named, held;
    return stat(path, &named) == 0 && fstat(fd, &held) == 0 &&
           named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

/* Makes temp and locks it; *again: somebody else's came or went in between. What is there
 * already and is locked by nobody was left behind by an export that was killed. */
static int try_temp(struct publish *publish, bool *again, struct err *err)
{
    bool made = mkdir(publish->temp, 0777) == 0;
    if (!made && errno != EEXIST)
        return file_error(err, "make", publish->temp, errno);
    *again = true;
    int fd = -1;
    if (take_lock(publish, publish->temp, &fd, err) != 0) {
        *again = access(publish->temp, F_OK) != 0;
        return -1;
    }
    if (!is_still(publish->temp, fd)) {
        close(fd);
        return -1;
    }
    if (made) {
        publish->lock = fd;
        return 0;
    }
    bool removed = remove_ours(publish->temp) || set_aside(publish, err) == 0;
    close(fd);
    *again = removed;
    return -1;
}

static int take_temp(struct publish *publish, struct err *err)
{
    struct err why;
    bool again = true;
    for (int tries = 0; again && tries < 100; tries++) {
        why = (struct err){0};
        again = false;
        if (try_temp(publish, &again, &why) == 0)
            return 0;
    }
    err_set(&why, ERR_STORAGE, "'%s' keeps changing", publish->temp);
    if (err != NULL)
        *err = why;
    return -1;
}

int publish_open(const char *dir, struct publish **publish, struct err *err)
{
    struct publish *made = mem_new(sizeof *made);
    made->lock = -1;
    enum target target;
    if (name_paths(made, dir, err) != 0 || look_at(made->dir, &target, err) != 0 ||
        take_temp(made, err) != 0) {
        publish_close(made);
        return -1;
    }
    *publish = made;
    return 0;
}

const char *publish_path(const struct publish *publish)
{
    return publish->temp;
}

/* ---- the step ---- */

static int step_error(const struct publish *publish, int error, struct err *err)
{
    if (error == EBUSY || error == EXDEV) {
        err_set(err, ERR_STORAGE, "'%s' is a mount point", publish->dir);
        err_fix(err, "export to a directory below it");
    } else if (error == EINVAL || error == ENOSYS || error == ENOTSUP) {
        err_set(err, ERR_STORAGE, "the file system of '%s' cannot exchange directories",
                publish->dir);
        err_fix(err, "export to a directory that does not exist yet, or to a local disk");
    } else {
        file_error(err, "publish", publish->dir, error);
    }
    return err_safe(err, "what was there is as it was");
}

/* The old dataset is locked while it is being removed under the name of temp, or else the
 * next export would take it for the rest of a killed one. */
static int exchange(struct publish *publish, struct err *err)
{
    int old = -1;
    if (take_lock(publish, publish->dir, &old, err) != 0)
        return -1;
    if (renameat2(AT_FDCWD, publish->temp, AT_FDCWD, publish->dir, RENAME_EXCHANGE) !=
        0) {
        int error = errno;
        close(old);
        return step_error(publish, error, err);
    }
    close(publish->lock);
    publish->lock = -1; /* published: no longer ours to remove */
    int result = file_sync_directory(publish->parent, err);
    if (result == 0 && !remove_ours(publish->temp))
        result = set_aside(publish, err);
    close(old);
    return result;
}

int publish_commit(struct publish *publish, struct err *err)
{
    enum target target;
    struct stat status;
    if (file_sync_directory(publish->temp, err) != 0 ||
        look_at(publish->dir, &target, err) != 0)
        return -1;
    if (target != TARGET_ABSENT && stat(publish->dir, &status) == 0 &&
        fchmod(publish->lock, status.st_mode & 07777) != 0)
        return file_error(err, "change the mode of", publish->temp, errno);
    if (target == TARGET_OURS)
        return exchange(publish, err);
    if (rename(publish->temp, publish->dir) != 0)
        return step_error(publish, errno, err);
    close(publish->lock);
    publish->lock = -1;
    return file_sync_directory(publish->parent, err);
}

const char *publish_kept(const struct publish *publish)
{
    return publish->kept == NULL ? "" : publish->kept;
}

void publish_close(struct publish *publish)
{
    if (publish == NULL)
        return;
    if (publish->lock >= 0) {
        remove_ours(publish->temp);
        close(publish->lock);
    }
    free(publish->dir);
    free(publish->parent);
    free(publish->temp);
    free(publish->kept);
    free(publish);
}
