/* SPDX-License-Identifier: MIT */
/* file: whole files, durable names. */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads a whole file of at most max bytes into out (appended). */
int file_read(const char *path, size_t max, struct buf *out, struct err *err);

/* Writes, fsyncs and renames over path, then fsyncs its directory: readers see the old
 * bytes or the new ones. */
int file_publish(const char *path, struct span bytes, struct err *err);

/* fsync of a directory, so that names made in it survive power loss. */
int file_sync_directory(const char *path, struct err *err);

/* ERR_STORAGE with the path and what errno says; always -1. ENOSPC and the like add a fix. */
int file_error(struct err *err, const char *doing, const char *path, int error);
