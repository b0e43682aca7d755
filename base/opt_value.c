/* SPDX-License-Identifier: MIT */
#include "base/opt_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit sizes[] = {
    {"", 1},        {"K", 1 << 10}, {"k", 1 << 10},   {"M", 1 << 20},   {"m", 1 << 20},
    {"G", 1 << 30}, {"g", 1 << 30}, {"T", 1LL << 40}, {"t", 1LL << 40}, {NULL, 0},
};

static const struct unit durations[] = {
    {"", 1000},     {"ms", 1},       {"s", 1000}, {"m", 60000},
    {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static bool parse_flag(const char *text, bool *value)
{
    static const char *const names[] = {"false", "true", "no", "yes",
                                        "off",   "on",   "0",  "1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *value = i % 2;
            return true;
        }
    }
    return false;
}

static bool parse_whole(const char *text, int64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool parse_real(const char *text, double *value)
{
    /* strtod also takes hexadecimal, "inf" and "nan", which nobody means. */
    if (text[0] == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0')
        return false;
    char *end;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

/* A decimal number directly before a unit; the result must be whole and fit. */
static bool parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
    size_t n = strspn(text, "0123456789.");
    if (n == 0 || n > 30 || !isdigit((unsigned char)text[0]))
        return false;
    char *end;
    double number = strtod(text, &end);
    if (end != text + n)
        return false;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(end, unit->name) != 0)
            continue;
        double result = number * (double)unit->factor;
        if (result > 9007199254740992.0 || result != floor(result))
            return false;
        *value = (int64_t)result;
        return true;
    }
    return false;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; *p != '\0'; p += *p == '|') {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, text, n) == 0)
            return true;
        p += len;
    }
    return false;
}

static bool is_in_range(const char *range, double value)
{
    if (range == NULL)
        return true;
    const char *dots = strstr(range, "..");
    assert(dots != NULL);
    return !(dots > range && value < strtod(range, NULL)) &&
           !(dots[2] != '\0' && value > strtod(dots + 2, NULL));
}

bool opt_value_parse(const struct opt_row *row, const char *text, union opt_value *value)
{
    switch (row->type) {
    case OPT_FLAG:
        return parse_flag(text, &value->flag);
    case OPT_COUNT:
        return parse_whole(text, &value->whole) &&
               is_in_range(row->range, (double)value->whole);
    case OPT_REAL:
        return parse_real(text, &value->real) && is_in_range(row->range, value->real);
    case OPT_SIZE:
        return parse_with_unit(text, sizes, &value->whole) &&
               is_in_range(row->range, (double)value->whole);
    case OPT_DURATION:
        return parse_with_unit(text, durations, &value->whole) &&
               is_in_range(row->range, (double)value->whole);
    case OPT_CHOICE:
        return is_choice(row->choices, text);
    case OPT_TEXT:
    case OPT_MAP:
        return true;
    }
    return false;
}

static void add_range(struct buf *out, const char *range, const char *unit)
{
    if (range == NULL)
        return;
    const char *dots = strstr(range, "..");
    int low = (int)(dots - range);
    if (dots[2] == '\0')
        buf_format(out, " of at least %.*s%s", low, range, unit);
    else if (low == 0)
        buf_format(out, " of at most %s%s", dots + 2, unit);
    else
        buf_format(out, " from %.*s to %s%s", low, range, dots + 2, unit);
}

static void add_choices(struct buf *out, const char *choices)
{
    buf_text(out, "one of ");
    for (const char *p = choices; *p != '\0'; p++) {
        if (*p == '|')
            buf_text(out, ", ");
        else
            buf_byte(out, *p);
    }
}

void opt_value_expected(struct buf *out, const struct opt_row *row)
{
    switch (row->type) {
    case OPT_FLAG:
        buf_text(out, "true or false");
        break;
    case OPT_COUNT:
        buf_text(out, "a whole number");
        add_range(out, row->range, "");
        break;
    case OPT_REAL:
        buf_text(out, "a number");
        add_range(out, row->range, "");
        break;
    case OPT_SIZE:
        buf_text(out, "a size such as 64K, 16M or 1G");
        add_range(out, row->range, " bytes");
        break;
    case OPT_DURATION:
        buf_text(out, "a duration such as 500ms, 30s, 10m, 2h or 1d");
        add_range(out, row->range, " ms");
        break;
    case OPT_CHOICE:
        add_choices(out, row->choices);
        break;
    case OPT_TEXT:
        buf_text(out, "text");
        break;
    case OPT_MAP:
        buf_text(out, "a mapping");
        break;
    }
}
