/* SPDX-License-Identifier: MIT */
/* ledger: how one exchange becomes rows (the parts of store_settled). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Adds an attempt to the sums of its run; they are written at commit. */
int tally_add(struct store *store, const struct attempt *attempt, size_t answers,
              struct err *err);
int tally_write(struct store *store, struct err *err);
