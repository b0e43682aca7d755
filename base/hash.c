/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include "base/mem.h"

struct sha256 {
    EVP_MD *method; /* fetched once: looking it up costs more than a short digest */
    EVP_MD_CTX *context;
};

static void must(int ok)
{
    if (ok != 1)
        mem_check(NULL); /* libcrypto's SHA-256 fails for want of memory only */
}

struct sha256 *sha256_new(void)
{
    struct sha256 *sha = mem_new(sizeof *sha);
    sha->method = mem_check(EVP_MD_fetch(NULL, "SHA2-256", NULL));
    sha->context = mem_check(EVP_MD_CTX_new());
    must(EVP_DigestInit_ex(sha->context, sha->method, NULL));
    return sha;
}

void sha256_free(struct sha256 *sha)
{
    if (sha == NULL)
        return;
    EVP_MD_CTX_free(sha->context);
    EVP_MD_free(sha->method);
    free(sha);
}

void sha256_add(struct sha256 *sha, const void *p, size_t n)
{
    must(EVP_DigestUpdate(sha->context, p, n));
}

void sha256_add_part(struct sha256 *sha, struct span part)
{
    uint64_t length = part.p == NULL ? UINT64_MAX : part.n;
    unsigned char head[8];
    for (int i = 0; i < 8; i++)
        head[i] = (unsigned char)(length >> (8 * i));
    sha256_add(sha, head, sizeof head);
    if (part.n != 0)
        sha256_add(sha, part.p, part.n);
}

void sha256_end(struct sha256 *sha, unsigned char digest[SHA256_BYTES])
{
    unsigned int n = 0;
    must(EVP_DigestFinal_ex(sha->context, digest, &n));
    assert(n == SHA256_BYTES);
    must(EVP_DigestInit_ex(sha->context, sha->method, NULL));
}

uint64_t hash64(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

void hex_encode(const unsigned char *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(struct span text, unsigned char *p, size_t n)
{
    if (text.n != 2 * n)
        return -1;
    for (size_t i = 0; i < text.n; i++)
        if (digit(text.p[i]) < 0)
            return -1;
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(digit(text.p[2 * i]) << 4 | digit(text.p[2 * i + 1]));
    return 0;
}

const char *hash_crypto_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

unsigned hash_xxhash_version(void)
{
    return XXH_versionNumber();
}
