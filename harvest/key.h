/* SPDX-License-Identifier: MIT */
/* key: what makes two requests the same.
 *
 * SHA-256 over kind, wire format, teacher identity, system prompt, canonical messages,
 * canonical parameters, sample number and edition, each as a length-prefixed part. Never
 * over address, port, credential, proxy, limits, time-outs, price, time or file name: a
 * teacher that moves is still the teacher that was paid. */
#pragma once

#include "base/hash.h"
#include "base/record.h"

struct key_parts {
    enum kind kind;
    const char *wire, *identity;
    struct span system;   /* absent: none */
    struct span messages; /* canonical list */
    struct span params;   /* canonical object, merged of stanza, options and row */
    int sample;
};

/* The key of edition 0. Those of higher editions follow from it, see store_retry(). */
void key_make(struct sha256 *sha, const struct key_parts *parts,
              unsigned char key[SHA256_BYTES]);
