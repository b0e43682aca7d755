/* SPDX-License-Identifier: MIT */
#include "export/literal.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

/* Escapes that json_add_string writes too, but for \u00XX of control characters: those
 * are rare enough to be spelt anew. */
static bool is_ours(struct span inside)
{
    if (utf8_valid_prefix(inside) != inside.n)
        return false;
    for (;;) {
        size_t n = json_plain_prefix(inside);
        if (n == inside.n)
            return true;
        if (inside.n - n < 2 || inside.p[n] != '\\' ||
            memchr("\"\\bfnrt", inside.p[n + 1], 7) == NULL)
            return false;
        inside.p += n + 2;
        inside.n -= n + 2;
    }
}

static bool respell(struct buf *out, struct span inside)
{
    struct buf text, literal;
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&literal, SIZE_MAX / 2);
    buf_byte(&literal, '"');
    buf_span(&literal, inside);
    buf_byte(&literal, '"');
    bool good = json_unquote(&text, buf_view(&literal));
    if (good) {
        buf_reset(&literal);
        json_add_string(&literal, buf_view(&text));
        buf_span(out, literal_inside(buf_view(&literal)));
    }
    buf_clear(&literal);
    buf_clear(&text);
    return good;
}

bool literal_splice(struct buf *out, struct span inside)
{
    if (!is_ours(inside))
        return respell(out, inside);
    buf_span(out, inside);
    return true;
}

bool literal_is_string(struct span value)
{
    return value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
}

struct span literal_inside(struct span literal)
{
    assert(literal_is_string(literal));
    return (struct span){literal.p + 1, literal.n - 2};
}
