/* SPDX-License-Identifier: MIT */
#include "export/token.h"

#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf8.h"
#include "export/literal.h"

/* Reads a number from 0 to 255 and what parts it from the next one or ends the list.
 * Returns what follows, or NULL. */
static const char *next_byte(const char *p, unsigned *value)
{
    unsigned number = 0, digits = 0;
    for (; *p == ' '; p++)
        ;
    for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
        number = number * 10 + (unsigned)(*p - '0');
    for (; *p == ' '; p++)
        ;
    if (digits == 0 || number > 255 || (*p != ',' && *p != ']'))
        return NULL;
    *value = number;
    return p + 1;
}

static bool is_numbered(const struct logprob *entry)
{
    static const char head[] = "token_id:";
    if (entry->id < 0 || entry->token.n < sizeof head ||
        memcmp(entry->token.p, head, sizeof head - 1) != 0)
        return false;
    char name[40];
    snprintf(name, sizeof name, "%s%lld", head, (long long)entry->id);
    return span_is(entry->token, name);
}

/* Appends the token's own bytes as hexadecimal digits. False, having appended nothing,
 * when they are not known. */
static bool add_own_bytes(struct buf *out, const struct logprob *entry)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = entry->bytes.p, *end = p + entry->bytes.n;
    if (entry->bytes.n <= 2 || *p != '[' || end[-1] != ']')
        return false;
    size_t start = out->n, n = 0;
    bool is_name = true; /* the bytes spell what stands for the token */
    for (p++; p < end; n++) {
        unsigned value = 0;
        p = next_byte(p, &value);
        if (p == NULL) {
            out->n = start;
            return false;
        }
        const char pair[] = {digits[value >> 4], digits[value & 15]};
        buf_add(out, pair, sizeof pair);
        is_name =
            is_name && n < entry->token.n && (unsigned char)entry->token.p[n] == value;
    }
    if (is_name && n == entry->token.n && is_numbered(entry)) {
        out->n = start;
        return false;
    }
    return true;
}

/* What the bytes decode to, as a string literal; "" when that is no text. */
static void add_decoded(struct buf *out, const struct logprob *entry)
{
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX / 2);
    add_own_bytes(&bytes, entry);
    size_t n = bytes.n / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte;
        hex_decode((struct span){bytes.p + 2 * i, 2}, &byte, 1);
        bytes.p[i] = (char)byte;
    }
    struct span text = {bytes.p, n};
    if (utf8_valid_prefix(text) != n)
        text.n = 0;
    json_add_string(out, text);
    buf_clear(&bytes);
}

bool token_add_text(struct buf *out, const struct logprob *entry)
{
    if (is_numbered(entry)) {
        add_decoded(out, entry);
        return true;
    }
    buf_byte(out, '"');
    bool good = literal_splice(out, entry->token);
    buf_byte(out, '"');
    return good;
}

void token_add_bytes(struct buf *out, const struct logprob *entry)
{
    buf_byte(out, '"');
    add_own_bytes(out, entry);
    buf_byte(out, '"');
}
