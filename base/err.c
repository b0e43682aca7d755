/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/term.h"

/* Writes one part unless it was written before: the first failure wins. */
#define FILL(field)                                                                      \
    do {                                                                                 \
        if (err != NULL && err->field[0] == '\0') {                                      \
            va_list args;                                                                \
            va_start(args, format);                                                      \
            vsnprintf(err->field, sizeof err->field, format, args);                      \
            va_end(args);                                                                \
        }                                                                                \
    } while (0)

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (err != NULL && err->code != ERR_NONE)
        return -1;
    if (err != NULL)
        err->code = code;
    FILL(what);
    return -1;
}

int err_where(struct err *err, const char *format, ...)
{
    FILL(where);
    return -1;
}

int err_why(struct err *err, const char *format, ...)
{
    FILL(why);
    return -1;
}

int err_safe(struct err *err, const char *format, ...)
{
    FILL(safe);
    return -1;
}

int err_fix(struct err *err, const char *format, ...)
{
    FILL(fix);
    return -1;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    char text[sizeof err->what], old[sizeof err->what];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(old, err->what, sizeof old);
    snprintf(err->what, sizeof err->what, "%.*s: %.*s", 200, text, (int)sizeof old - 205,
             old);
    return -1;
}

static void print_json(const struct err *err, FILE *out)
{
    const struct {
        const char *name, *text;
    } parts[] = {{"what", err->what},
                 {"where", err->where},
                 {"why", err->why},
                 {"safe", err->safe},
                 {"fix", err->fix}};
    struct buf line;
    buf_init(&line, 1 << 16);
    buf_format(&line, "{\"type\":\"error\",\"code\":%d", err->code);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].text[0] == '\0')
            continue;
        buf_format(&line, ",\"%s\":", parts[i].name);
        json_add_string(&line, span_of(parts[i].text));
    }
    buf_text(&line, "}\n");
    fputs(buf_view(&line).p, out);
    buf_clear(&line);
}

static void print_part(const char *name, const char *text, FILE *out)
{
    if (text[0] == '\0')
        return;
    fputs(name, out);
    term_put(out, span_of(text));
    fputc('\n', out);
}

void err_print(const struct err *err, FILE *out, bool json)
{
    if (json) {
        print_json(err, out);
        return;
    }
    print_part("harvest: error: ", err->what, out);
    print_part("  where: ", err->where, out);
    print_part("  why:   ", err->why, out);
    print_part("  safe:  ", err->safe, out);
    print_part("  fix:   ", err->fix, out);
}
