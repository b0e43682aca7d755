/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

size_t utf8_decode(struct span text, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)text.p;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || text.n < n)
        return 0;
    uint32_t c = p[0] & (0x7f >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return n;
}

size_t utf8_valid_prefix(struct span text)
{
    size_t i = 0;
    while (i < text.n) {
        uint64_t word; /* eight ASCII bytes at a time: prompts are mostly that */
        if (text.n - i >= sizeof word) {
            memcpy(&word, text.p + i, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof word;
                continue;
            }
        }
        uint32_t code;
        size_t n = utf8_decode((struct span){text.p + i, text.n - i}, &code);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

void utf8_add(struct buf *out, uint32_t code)
{
    char p[4];
    size_t n = 1;
    if (code < 0x80) {
        p[0] = (char)code;
    } else {
        n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        for (size_t i = n - 1; i > 0; i--, code >>= 6)
            p[i] = (char)(0x80 | (code & 0x3f));
        p[0] = (char)(0xf00 >> n | code);
    }
    buf_add(out, p, n);
}
