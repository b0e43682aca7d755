/* SPDX-License-Identifier: MIT */
#include "harvest/key.h"

#include <stdio.h>

/* Changes when the parts change: then every key does. */
static const char SCHEME[] = "harvest key 1";

void key_make(struct sha256 *sha, const struct key_parts *parts,
              unsigned char key[SHA256_BYTES])
{
    char sample[24];
    snprintf(sample, sizeof sample, "%d", parts->sample);
    sha256_add_part(sha, SPAN_LITERAL(SCHEME));
    sha256_add_part(sha, span_of(kind_name(parts->kind)));
    sha256_add_part(sha, span_of(parts->wire));
    sha256_add_part(sha, span_of(parts->identity));
    sha256_add_part(sha, parts->system);
    sha256_add_part(sha, parts->messages);
    sha256_add_part(sha, parts->params);
    sha256_add_part(sha, span_of(sample));
    sha256_end(sha, key);
}
