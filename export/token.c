/* SPDX-License-Identifier: MIT */
#include "export/token.h"

#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf8.h"
#include "export/literal.h"

/* Writes the bytes of the list [n,…]. False when it is no list of bytes. */
static bool read_bytes(struct span list, struct buf *bytes)
{
    if (list.n < 2 || list.p[0] != '[' || list.p[list.n - 1] != ']')
        return false;
    const char *p = list.p + 1, *end = list.p + list.n - 1;
    while (p < end) {
        unsigned value = 0, digits = 0;
        for (; p < end && *p == ' '; p++)
            ;
        for (; p < end && *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
            value = value * 10 + (unsigned)(*p - '0');
        for (; p < end && *p == ' '; p++)
            ;
        if (value > 255 || (digits == 0 && p < end) || (p < end && *p++ != ','))
            return false;
        if (digits > 0)
            buf_byte(bytes, (char)value);
    }
    return true;
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

/* The token's own bytes; false when they are not known. */
static bool own_bytes(const struct logprob *entry, struct buf *bytes)
{
    buf_init(bytes, SIZE_MAX / 2);
    if (entry->bytes.p == NULL || !read_bytes(entry->bytes, bytes))
        return false;
    return !is_numbered(entry) || !span_equal(buf_view(bytes), entry->token);
}

bool token_add_text(struct buf *out, const struct logprob *entry)
{
    if (!is_numbered(entry)) {
        buf_byte(out, '"');
        bool good = literal_splice(out, entry->token);
        buf_byte(out, '"');
        return good;
    }
    struct buf bytes;
    bool known = own_bytes(entry, &bytes);
    struct span text = buf_view(&bytes);
    if (!known || utf8_valid_prefix(text) != text.n)
        text.n = 0;
    json_add_string(out, text);
    buf_clear(&bytes);
    return true;
}

void token_add_bytes(struct buf *out, const struct logprob *entry)
{
    static const char digits[] = "0123456789abcdef";
    struct buf bytes;
    bool known = own_bytes(entry, &bytes);
    buf_byte(out, '"');
    for (size_t i = 0; known && i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        const char pair[] = {digits[c >> 4], digits[c & 15]};
        buf_add(out, pair, sizeof pair);
    }
    buf_byte(out, '"');
    buf_clear(&bytes);
}
