/* SPDX-License-Identifier: MIT */
#include "harvest/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { KEY_MAX = 8192, SCRUB_LEAST = 8 };

static const char PREFIX[] = "Authorization: Bearer ";

struct credential {
    char header[KEY_MAX + 64];
};

static int open_private(const char *path, int *fd, struct err *err)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &st) != 0) {
        err_set(err, ERR_CREDENTIAL, "cannot read the key file '%s': %s", path,
                strerror(errno));
        return err_fix(err, "put the key into that file, or correct key_file");
    }
    if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
        close(*fd);
        err_set(err, ERR_CREDENTIAL,
                "the key file '%s' can be read by others (mode %03o)", path,
                (unsigned)(st.st_mode & 0777));
        return err_fix(err, "chmod 600 '%s'", path);
    }
    return 0;
}

static int read_file(const char *path, char *key, size_t *n, struct err *err)
{
    int fd;
    if (open_private(path, &fd, err) != 0)
        return -1;
    size_t got = 0;
    ssize_t more;
    while (got <= KEY_MAX && (more = read(fd, key + got, KEY_MAX + 1 - got)) != 0) {
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0) {
            err_set(err, ERR_CREDENTIAL, "cannot read the key file '%s': %s", path,
                    strerror(errno));
            close(fd);
            return -1;
        }
        got += (size_t)more;
    }
    close(fd);
    if (got > KEY_MAX)
        return err_set(err, ERR_CREDENTIAL, "the key file '%s' holds more than a key",
                       path);
    *n = got;
    return 0;
}

static int read_variable(const char *name, char *key, size_t *n, struct err *err)
{
    char *value = getenv(name);
    if (value == NULL) {
        err_set(err, ERR_CREDENTIAL, "the variable '%s' named by key_env is not set",
                name);
        return err_fix(err, "export %s with the key, or use key_file", name);
    }
    size_t got = strlen(value);
    if (got > KEY_MAX)
        return err_set(err, ERR_CREDENTIAL, "the variable '%s' holds more than a key",
                       name);
    memcpy(key, value, got);
    explicit_bzero(value, got); /* what /proc/PID/environ shows */
    unsetenv(name);
    *n = got;
    return 0;
}

/* A key is one line of visible ASCII: anything else could forge another header. */
static int make_header(struct credential *credential, const char *key, size_t n,
                       const char *from, struct err *err)
{
    while (n > 0 && strchr(" \t\r\n", key[n - 1]) != NULL)
        n--;
    while (n > 0 && strchr(" \t\r\n", key[0]) != NULL) {
        key++;
        n--;
    }
    if (n == 0)
        return err_set(err, ERR_CREDENTIAL, "'%s' holds no key", from);
    for (size_t i = 0; i < n; i++)
        if (key[i] <= ' ' || key[i] >= 127)
            return err_set(err, ERR_CREDENTIAL,
                           "the key in '%s' has a byte that no key has, at %zu", from, i);
    memcpy(credential->header, PREFIX, sizeof PREFIX - 1);
    memcpy(credential->header + sizeof PREFIX - 1, key, n);
    return 0;
}

int credential_load(const char *key_file, const char *key_env,
                    struct credential **credential, struct err *err)
{
    *credential = NULL;
    if (key_file == NULL && key_env == NULL)
        return 0;
    char key[KEY_MAX + 1];
    size_t n = 0;
    int rc = key_file != NULL ? read_file(key_file, key, &n, err)
                              : read_variable(key_env, key, &n, err);
    struct credential *made = mem_new(sizeof *made);
    if (rc == 0)
        rc = make_header(made, key, n, key_file != NULL ? key_file : key_env, err);
    explicit_bzero(key, sizeof key);
    if (rc != 0) {
        credential_free(made);
        return -1;
    }
    *credential = made;
    return 0;
}

const char *credential_header(const struct credential *credential)
{
    return credential->header;
}

/* Keys too short to be secrets are left alone: they could be any word of an answer. */
void credential_scrub(const struct credential *credential, char *p, size_t n)
{
    if (credential == NULL || n == 0)
        return;
    const char *key = credential->header + sizeof PREFIX - 1;
    size_t length = strlen(key);
    char *found;
    while (length >= SCRUB_LEAST && (found = memmem(p, n, key, length)) != NULL) {
        memset(found, '*', length);
        n -= (size_t)(found - p) + length;
        p = found + length;
    }
}

void credential_free(struct credential *credential)
{
    if (credential == NULL)
        return;
    explicit_bzero(credential, sizeof *credential);
    free(credential);
}
