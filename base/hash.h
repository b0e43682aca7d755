/* SPDX-License-Identifier: MIT */
/* hash: SHA-256 where identity is published (keys, manifests), XXH3 where it is not. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64 };

struct sha256; /* a running digest (FIPS 180-4, by libcrypto) */

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *sha); /* NULL is fine */
void sha256_add(struct sha256 *sha, const void *p, size_t n);
/* Adds the length (8 bytes, little-endian) and then the bytes, so that the parts of a key
 * cannot run into each other; an absent span differs from an empty one. */
void sha256_add_part(struct sha256 *sha, struct span part);
/* Writes the digest and starts over. */
void sha256_end(struct sha256 *sha, unsigned char digest[SHA256_BYTES]);

uint64_t hash64(const void *p, size_t n); /* XXH3, 64 bits, seed 0 */

/* Lower-case hexadecimal with a NUL; out holds 2 * n + 1 bytes. */
void hex_encode(const unsigned char *p, size_t n, char *out);
/* Reads exactly 2 * n digits of either case. Returns 0 or -1. */
int hex_decode(struct span text, unsigned char *p, size_t n);

/* Of the libraries in use, for --version. */
const char *hash_crypto_version(void); /* "3.0.17" */
unsigned hash_xxhash_version(void);    /* 801 is 0.8.1 */
