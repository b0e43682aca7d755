/* SPDX-License-Identifier: MIT */
/* credential: the one place that ever holds a teacher's key.
 *
 * A key comes from a file that only its owner can read, or from an environment variable,
 * which is unset once it has been read; never from argv. Nothing prints it, and the
 * memory is wiped when it is freed. The transport asks for the header line at the moment
 * it makes its list of headers. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct credential;

/* Reads the key from key_file or, when that is NULL, from the variable key_env;
 * *credential is NULL when both are NULL. White space around the key is dropped. Errors
 * are ERR_CREDENTIAL and never contain any of it. */
int credential_load(const char *key_file, const char *key_env,
                    struct credential **credential, struct err *err);

/* "Authorization: Bearer …" (RFC 6750); lives as long as the credential. */
const char *credential_header(const struct credential *credential);

/* Overwrites every occurrence of the key in foreign bytes with '*': a teacher may quote what
 * it was sent. NULL credential: does nothing. */
void credential_scrub(const struct credential *credential, char *p, size_t n);

void credential_free(struct credential *credential); /* NULL is fine */
