/* SPDX-License-Identifier: MIT */
#include "base/term.h"

#include "base/utf8.h"

static bool is_harmless(uint32_t c)
{
    if (c < 0x20)
        return c == '\n' || c == '\t';
    if (c >= 0x7f && c <= 0x9f)
        return false;
    return !(c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
             (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
             c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
             (c >= 0xe0000 && c <= 0xe007f));
}

void term_add(struct buf *out, struct span text)
{
    while (text.n > 0) {
        uint32_t code = (unsigned char)text.p[0];
        size_t n = utf8_decode(text, &code);
        if (n > 0 && is_harmless(code))
            buf_add(out, text.p, n);
        else
            buf_format(out, "\\u{%x}", (unsigned)code);
        n = n > 0 ? n : 1;
        text.p += n;
        text.n -= n;
    }
}

void term_put(FILE *out, struct span text)
{
    struct buf safe;
    buf_init(&safe, SIZE_MAX / 2);
    term_add(&safe, text);
    fwrite(safe.p, 1, safe.n, out);
    buf_clear(&safe);
}
