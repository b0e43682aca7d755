/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void digest_hex(struct sha256 *sha, char *hex)
{
    unsigned char digest[SHA256_BYTES];
    sha256_end(sha, digest);
    hex_encode(digest, sizeof digest, hex);
}

/* The examples of FIPS 180-4, one running digest used again and again. */
static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    struct sha256 *sha = sha256_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[SHA256_HEX + 1];
        size_t n = strlen(cases[i].text);
        sha256_add(sha, cases[i].text, n / 2);
        sha256_add(sha, cases[i].text + n / 2, n - n / 2);
        digest_hex(sha, hex);
        assert_string_equal(hex, cases[i].digest);
    }
    sha256_free(sha);
    sha256_free(NULL);
}

/* Parts are told apart: where one ends, and absent from empty. */
static void test_parts(void **state)
{
    (void)state;
    const struct span lists[][2] = {
        {SPAN_LITERAL("ab"), SPAN_LITERAL("c")}, {SPAN_LITERAL("a"), SPAN_LITERAL("bc")},
        {SPAN_LITERAL("abc"), SPAN_LITERAL("")}, {SPAN_LITERAL("abc"), {NULL, 0}},
        {{NULL, 0}, SPAN_LITERAL("abc")},
    };
    enum { LISTS = sizeof lists / sizeof lists[0] };
    char hex[LISTS][SHA256_HEX + 1];
    struct sha256 *sha = sha256_new();
    for (size_t i = 0; i < LISTS; i++) {
        sha256_add_part(sha, lists[i][0]);
        sha256_add_part(sha, lists[i][1]);
        digest_hex(sha, hex[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hex[i], hex[j]);
    }
    /* The layout is part of every key and must never change. */
    sha256_add(sha, "\1\0\0\0\0\0\0\0a\2\0\0\0\0\0\0\0bc", 19);
    char plain[SHA256_HEX + 1];
    digest_hex(sha, plain);
    assert_string_equal(plain, hex[1]);
    sha256_add(sha, "\3\0\0\0\0\0\0\0abc\377\377\377\377\377\377\377\377", 19);
    digest_hex(sha, plain);
    assert_string_equal(plain, hex[3]);
    sha256_free(sha);
}

static void test_hash64(void **state)
{
    (void)state;
    assert_true(hash64("", 0) == 0x2d06800538d394c2u); /* published by its author */
    assert_true(hash64("a", 1) != hash64("b", 1));
}

static void test_hex(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        int result;
    } cases[] = {
        {"00ff10", 3, 0}, {"00FF10", 3, 0},  {"", 0, 0},          {"00ff1", 3, -1},
        {"00ff", 3, -1},  {"00fg10", 3, -1}, {"00ff1000", 3, -1}, {"0x", 1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char bytes[4] = {9, 9, 9, 9};
        int result = hex_decode(span_of(cases[i].text), bytes, cases[i].n);
        assert_int_equal(result, cases[i].result);
        if (result != 0)
            assert_int_equal(bytes[0], 9); /* written only on success */
        if (result == 0 && cases[i].n == 3)
            assert_memory_equal(bytes, "\x00\xff\x10", 3);
    }
    char text[7];
    hex_encode((const unsigned char *)"\x00\xff\x10", 3, text);
    assert_string_equal(text, "00ff10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_hash64),
        cmocka_unit_test(test_hex),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
