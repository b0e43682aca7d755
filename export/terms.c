/* SPDX-License-Identifier: MIT */
#include "export/terms.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

enum { PARTS = 3 };

static const char *const names[PARTS] = {"teacher", "license", "training"};

struct term {
    struct span parts[PARTS];
    uint64_t rows;
};

/* Few: a store has a handful of teachers. Rows of one teacher mostly follow each other. */
struct terms {
    struct arena arena;
    struct term *list;
    size_t n, last;
};

struct terms *terms_new(void)
{
    return mem_new(sizeof(struct terms));
}

void terms_free(struct terms *terms)
{
    if (terms == NULL)
        return;
    arena_clear(&terms->arena);
    free(terms->list);
    free(terms);
}

static bool is_same(const struct term *term, const struct span parts[PARTS])
{
    for (int i = 0; i < PARTS; i++)
        if (!span_equal(term->parts[i], parts[i]))
            return false;
    return true;
}

void terms_count(struct terms *terms, const struct row *row)
{
    const struct span parts[PARTS] = {row->teacher, row->license, row->training};
    size_t i = terms->last;
    if (terms->n == 0 || !is_same(&terms->list[i], parts))
        for (i = 0; i < terms->n && !is_same(&terms->list[i], parts);)
            i++;
    if (i == terms->n) {
        terms->list = mem_grow(terms->list, ++terms->n, sizeof *terms->list);
        terms->list[i] = (struct term){0};
        for (int j = 0; j < PARTS; j++)
            terms->list[i].parts[j] = arena_span(&terms->arena, parts[j]);
    }
    terms->list[i].rows++;
    terms->last = i;
}

void terms_add_json(const struct terms *terms, struct buf *out)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < terms->n; i++) {
        buf_text(out, i > 0 ? ",\n    {" : "\n    {");
        for (int j = 0; j < PARTS; j++) {
            buf_format(out, "\"%s\": ", names[j]);
            json_add_string(out, terms->list[i].parts[j]);
            buf_text(out, ", ");
        }
        buf_format(out, "\"rows\": %" PRIu64 "}", terms->list[i].rows);
    }
    buf_text(out, "\n  ]");
}
