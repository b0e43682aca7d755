/* SPDX-License-Identifier: MIT */
#include "harvest/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct reserve {
    char *path;
};

int reserve_take(const char *store_path, struct reserve **reserve, struct err *err)
{
    char *path = mem_format("%s.reserve", store_path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
    if (fd >= 0)
        close(fd);
    if (error != 0) {
        unlink(path);
        file_error(err, "keep room for answers in", path, error);
        free(path);
        return -1;
    }
    *reserve = mem_new(sizeof **reserve);
    (*reserve)->path = path; /* transferred */
    return 0;
}

void reserve_give(struct reserve *reserve)
{
    if (reserve == NULL)
        return;
    unlink(reserve->path);
    free(reserve->path);
    free(reserve);
}
