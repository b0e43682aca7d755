/* SPDX-License-Identifier: MIT */
/* reserve: disk space kept back for the moment the disk is full.
 *
 * Answers that are on their way when the disk fills up have been paid for. A file of
 * RESERVE_BYTES beside the store holds the room for them: it is given up when a commit
 * fails, the commit is tried again, and nothing new is asked. */
#pragma once

#include "base/err.h"

enum { RESERVE_BYTES = 8 << 20 };

struct reserve;

/* Makes STORE.reserve. Errors: ERR_STORAGE when not even that much is free. */
int reserve_take(const char *store_path, struct reserve **reserve, struct err *err);

/* Removes the file and frees the object; NULL is fine. */
void reserve_give(struct reserve *reserve);
