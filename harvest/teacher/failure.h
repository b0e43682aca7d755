/* SPDX-License-Identifier: MIT */
/* failure: why a reply is no answer, and what to do about it.
 *
 * The status alone does not tell: 429 may mean "wait" or "never", 400 may be the prompt, the
 * key or the money, and errors come inside of 200. What a teacher names its trouble (codes,
 * types, a few phrases) counts first, then the status. */
#pragma once

#include "base/arena.h"
#include "harvest/teacher.h"

/* Fills outcome, reason, retry_after_ms and note for a reply whose status is an error, or
 * which says in its body (given without a byte-order mark) that it is one. */
void failure_decode(const struct reply *reply, struct span body, struct arena *arena,
                    struct decoded *decoded);
