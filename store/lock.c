/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/private.h"

const char *lock_network(long magic)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } rows[] = {
        {0x6969, "NFS"},       {0x517b, "SMB"},        {0xfe534d42, "SMB"},
        {0xff534d42, "CIFS"},  {0x564c, "NCP"},        {0x01021997, "9p"},
        {0x65735546, "FUSE"},  {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
        {0x73757245, "Coda"},  {0x00c36400, "Ceph"},   {0x0bd00bd0, "Lustre"},
        {0x01161970, "GFS2"},  {0x7461636f, "OCFS2"},  {0xaad7aaea, "PanFS"},
        {0x47504653, "GPFS"},  {0x19830326, "BeeGFS"}, {0x786f4256, "VirtualBox share"},
        {0x013111a8, "IBRIX"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].magic == ((unsigned long)magic & 0xffffffff))
            return rows[i].name;
    return NULL;
}

int lock_check_place(const char *directory, struct err *err)
{
    struct statfs about;
    if (statfs(directory, &about) != 0)
        return file_error(err, "use directory", directory, errno);
    const char *network = lock_network((long)about.f_type);
    if (network == NULL)
        return 0;
    err_set(err, ERR_STORAGE, "a store cannot live on the %s file system of '%s'",
            network, directory);
    err_why(err, "its locks and shared memory are not those of a local disk, and answers "
                 "could be lost");
    return err_fix(err, "choose a path on a local disk with --store");
}

/* The text is information for people; the kernel's lock is what counts. */
static void write_holder(int fd)
{
    char host[256] = "?", date[32], text[400];
    gethostname(host, sizeof host - 1);
    time_t now = time(NULL);
    struct tm tm;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    int n = snprintf(text, sizeof text, "process %ld on %s since %s\n", (long)getpid(),
                     host, date);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return; /* the lock holds all the same */
}

static int locked(const char *path, int fd, struct err *err)
{
    char text[400];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    err_set(err, ERR_LOCKED, "store '%s' is in use by another harvest", path);
    err_where(err, "%s.lock", path);
    if (text[0] != '\0')
        err_why(err, "%s holds it", text);
    err_safe(err, "nothing was read or written");
    return err_fix(err, "wait for it to end; reading commands work meanwhile");
}

int lock_take(const char *path, int *fd, struct err *err)
{
    char *name = mem_format("%s.lock", path);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0) {
        file_error(err, "lock", name, errno);
        free(name);
        return -1;
    }
    int rc;
    do
        rc = flock(lock, LOCK_EX | LOCK_NB);
    while (rc != 0 && errno == EINTR);
    if (rc == 0) {
        write_holder(lock);
        *fd = lock;
    } else if (errno == EWOULDBLOCK) {
        locked(path, lock, err);
    } else {
        file_error(err, "lock", name, errno);
    }
    if (rc != 0)
        close(lock);
    free(name);
    return rc == 0 ? 0 : -1;
}
