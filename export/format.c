/* SPDX-License-Identifier: MIT */
/* format: what every format writes, and the registry of formats. The lines of the latter
 * are made of Makefile.am's FORMATS. */
#include <string.h>

#include "export/export.h"

#define X(name) extern const struct format name;
#include "export/formats.inc"
#undef X

static const struct format *const formats[] = {
#define X(name) &name,
#include "export/formats.inc"
#undef X
    NULL,
};

const struct format *format_find(const char *name)
{
    for (size_t i = 0; formats[i] != NULL; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

const struct format *const *format_all(void)
{
    return formats;
}

const struct column *export_columns(size_t *n)
{
    static const struct column columns[] = {
        {"key", "string", false},
        {"prompt_id", "string", false},
        {"sample", "int64", false},
        {"teacher", "string", false},
        {"finish_reason", "string", false},
        {"metadata", "string", false},
        {"messages", "list<struct<role: string, content: string>>", false},
        {"tokens", "list<string>", true},
        {"token_ids", "list<int64>", true},
        {"token_bytes", "list<string>", true},
        {"token_logprobs", "list<double>", true},
        {"top_tokens", "list<list<string>>", true},
        {"top_token_ids", "list<list<int64>>", true},
        {"top_token_bytes", "list<list<string>>", true},
        {"top_logprobs", "list<list<double>>", true},
        {"logprobs_complete", "bool", true},
    };
    *n = sizeof columns / sizeof columns[0];
    return columns;
}
