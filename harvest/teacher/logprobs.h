/* SPDX-License-Identifier: MIT */
/* logprobs: the arrays of log-probabilities that chat completions carry, as tracks.
 *
 * An entry is an object with `token`, `logprob`, and as the server likes it `bytes`, `id`
 * and `top_logprobs`, a list of such entries for the alternatives. They make up nearly all
 * of a reply that has them, and this is where the time of decoding goes: the order in which
 * a server spells its members is learnt from its first entry and tried first for all
 * others. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/record.h"
#include "base/scan.h"

/* Reads the array that comes next (or any other value, which is then not understood) into
 * *track, whose former contents are dropped. Entries lie in the arena; texts point into
 * what is scanned.
 *
 * *flags gets FLAG_ODD_LOGPROBS for a null, positive or infinite value. *understood becomes
 * false when packing the track and spelling it out again would not give an equal array: an
 * entry has other members than those above, lacks token or logprob, has one twice or of
 * another type, or not all entries have the same ones; or a number is infinite. An id is
 * taken from `id`; from `token_id` (not understood: it would come back as `id`); or from a
 * token that reads "token_id:N", as vLLM spells tokens on request. In that case the bytes
 * of alternatives are those of this spelling and mean nothing; they are kept as they are. */
void logprobs_read(struct scan *scan, struct arena *arena, struct track *track,
                   unsigned *flags, bool *understood);
