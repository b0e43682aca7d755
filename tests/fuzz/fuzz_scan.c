/* SPDX-License-Identifier: MIT */
/* fuzz_scan: any bytes as JSON. What the scanner and jansson accept must be the same (but
 * for what scan.h leaves to its caller), and pulling a text apart must end where skipping it
 * does. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pull(struct scan *scan);

static void pull_container(struct scan *scan, bool object)
{
    struct span key;
    if (object ? scan_object(scan) : scan_array(scan))
        while (object ? scan_key(scan, &key) : scan_item(scan))
            pull(scan);
}

static void pull(struct scan *scan)
{
    struct span raw;
    struct number number;
    enum scan_type type = scan_next(scan);
    if (type == SCAN_OBJECT || type == SCAN_ARRAY)
        pull_container(scan, type == SCAN_OBJECT);
    else if (type == SCAN_STRING)
        scan_string(scan, &raw);
    else if (type == SCAN_NUMBER)
        scan_number(scan, &number);
    else if (type != SCAN_NULL || !scan_null(scan))
        scan_value(scan, &raw);
}

static void compare(const struct scan *scan, bool accepted, struct span text)
{
    json_error_t error;
    json_t *tree = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (tree == NULL && accepted) {
        enum json_error_code code = json_error_code(&error);
        assert(code == json_error_numeric_overflow ||
               code == json_error_null_byte_in_key ||
               (scan->lone_surrogate && strstr(error.text, "invalid Unicode") != NULL));
    }
    /* jansson overlooks a NUL byte behind a number. */
    assert(tree == NULL || accepted || memchr(text.p, '\0', text.n) != NULL);
    json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size}, raw = {0};
    struct scan skipped, pulled;
    scan_init(&skipped, text);
    bool accepted = scan_value(&skipped, &raw) && scan_done(&skipped);
    assert(skipped.error_at <= size && accepted == (skipped.error == NULL));
    scan_init(&pulled, text);
    pull(&pulled);
    assert(scan_done(&pulled) == accepted);
    assert(pulled.error_at == skipped.error_at);
    assert(!accepted || (pulled.lone_surrogate == skipped.lone_surrogate && raw.n > 0));
    compare(&skipped, accepted, text);
    return 0;
}
