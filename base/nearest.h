/* SPDX-License-Identifier: MIT */
/* nearest: the known name that a misspelt one was probably meant to be.
 *
 *   struct nearest near = {.given = "tmeperature"};
 *   for (…) nearest_offer(&near, candidate);
 *   if (near.found != NULL) "did you mean …?" */
#pragma once

#include <stddef.h>

struct nearest {
    const char *given;
    const char *found; /* NULL: nothing is near enough to be worth saying */
    size_t cost;       /* of found */
};

/* '_' equals '-' and case does not matter. Names longer than 63 bytes are never near. */
void nearest_offer(struct nearest *nearest, const char *candidate);
