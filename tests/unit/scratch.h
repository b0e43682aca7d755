/* SPDX-License-Identifier: MIT */
/* scratch: a directory of a test's own, as cmocka's setup and teardown. */
#pragma once

#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

/* *state becomes the path of a new directory. */
static inline int scratch_make(void **state)
{
    const char *top = getenv("TMPDIR");
    *state = mem_format("%s/harvest-test.XXXXXX", top == NULL ? "/tmp" : top);
    return mkdtemp(*state) == NULL;
}

static inline int scratch_unlink(const char *path, const struct stat *status, int type,
                                 struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static inline int scratch_remove(void **state)
{
    int result = nftw(*state, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return result;
}

static inline void scratch_write(const char *path, const char *text)
{
    struct err err = {0};
    if (file_publish(path, span_of(text), &err) != 0)
        fprintf(stderr, "%s\n", err.what);
}

/* The file's bytes, to be freed; NULL when it cannot be read. */
static inline char *scratch_read(const char *path)
{
    struct buf text;
    buf_init(&text, 1 << 30);
    bool good = file_read(path, text.max, &text, NULL) == 0;
    char *bytes = buf_take(&text);
    if (!good)
        free(bytes);
    return good ? bytes : NULL;
}

/* The names in a directory but . and .., sorted, each followed by a space; to be freed. */
static inline char *scratch_names(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    struct buf names;
    buf_init(&names, 1 << 20);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            buf_format(&names, "%s ", name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return buf_take(&names);
}
