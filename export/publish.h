/* SPDX-License-Identifier: MIT */
/* publish: a directory appears, or takes the place of an older one, in one step.
 *
 * The new one grows in .NAME.harvest-tmp beside NAME. A lock on that directory, which the
 * kernel drops with its holder, tells an export that goes on from the rest of one that
 * was killed; the rest is removed by the next. Readers find the old dataset or the new
 * one under NAME at any moment, after a crash and after power loss too. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct publish;

/* Checks that dir is absent, empty or a dataset of ours (else ERR_USAGE, and nothing was
 * touched), and makes and locks the directory beside it. Another export to dir that goes
 * on: ERR_LOCKED. */
int publish_open(const char *dir, struct publish **publish, struct err *err);

/* The directory to fill. */
const char *publish_path(const struct publish *publish);

/* Checks dir again and puts the directory there, durably; the old dataset is removed.
 * After an error dir is as it was, unless the error is about what came after the step. */
int publish_commit(struct publish *publish, struct err *err);

/* Where an old dataset was kept because somebody had put other files into it, or "". */
const char *publish_kept(const struct publish *publish);

/* Removes what was not committed. NULL is fine. */
void publish_close(struct publish *publish);
