/* SPDX-License-Identifier: MIT */
#include "harvest/teacher/headers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/number.h"

enum {
    EPOCH_SECONDS = 1000000000
}; /* no delay in seconds is as large; years from 2001 are */

/* ---- headers --------------------------------------------------------------------------- */

bool headers_next(struct span *rest, const char *name, struct span *value)
{
    size_t n = strlen(name);
    while (rest->n > 0) {
        const char *end = memchr(rest->p, '\n', rest->n);
        struct span line = {rest->p, end == NULL ? rest->n : (size_t)(end - rest->p)};
        size_t used = line.n + (end != NULL);
        *rest = (struct span){rest->p + used, rest->n - used};
        if (line.n <= n || memcmp(line.p, name, n) != 0 || line.p[n] != ':')
            continue;
        *value = (struct span){line.p + n + 1, line.n - n - 1};
        while (value->n > 0 && (value->p[0] == ' ' || value->p[0] == '\t'))
            *value = (struct span){value->p + 1, value->n - 1};
        return true;
    }
    return false;
}

struct span headers_find(struct span headers, const char *name)
{
    struct span value = {0};
    headers_next(&headers, name, &value);
    return value;
}

/* ---- times ----------------------------------------------------------------------------- */

static int64_t in_bounds(double ms)
{
    return ms >= (double)DELAY_MAX_MS ? DELAY_MAX_MS : (int64_t)ceil(ms);
}

/* Moves over a number that is not negative; false: there is none. */
static bool take_number(struct span *text, double *value)
{
    struct number number;
    if (text->n == 0 || text->p[0] == '-')
        return false;
    const char *end = number_read(*text, &number);
    if (end == NULL)
        return false;
    text->n -= (size_t)(end - text->p);
    text->p = end;
    *value = number.value;
    return true;
}

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* Moves over a unit; returns its milliseconds, 0: there is none. */
static double take_unit(struct span *text)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {
        {"milliseconds", 1}, {"ms", 1},           {"seconds", 1000}, {"second", 1000},
        {"secs", 1000},      {"sec", 1000},       {"s", 1000},       {"minutes", 60e3},
        {"minute", 60e3},    {"m", 60e3},         {"hours", 3600e3}, {"hour", 3600e3},
        {"h", 3600e3},       {"days", 86400e3},   {"day", 86400e3},  {"d", 86400e3},
        {"ns", 1e-6},        {"\xc2\xb5s", 1e-3}, {"us", 1e-3},
    };
    struct span word = *text;
    while (word.n > 0 && word.p[0] == ' ')
        word = (struct span){word.p + 1, word.n - 1};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].name);
        if (word.n < n || memcmp(word.p, units[i].name, n) != 0 ||
            (word.n > n && is_letter(word.p[n])))
            continue;
        *text = (struct span){word.p + n, word.n - n};
        return units[i].ms;
    }
    return 0;
}

int64_t delay_read(struct span text)
{
    double sum = 0, value, unit;
    bool any = false;
    while (take_number(&text, &value) && (unit = take_unit(&text)) > 0) {
        sum += value * unit;
        any = true;
    }
    return any ? in_bounds(sum) : -1;
}

int64_t date_read(struct span text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char copy[40], month[4];
    struct tm tm = {0};
    if (text.n == 0 || text.n >= sizeof copy)
        return -1;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (sscanf(copy, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, month, &tm.tm_year,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    const char *at = strstr(months, month);
    if (at == NULL || (at - months) % 3 != 0 || strlen(month) != 3)
        return -1;
    tm.tm_mon = (int)(at - months) / 3;
    tm.tm_year -= 1900;
    return timegm(&tm);
}

/* Milliseconds from the reply's Date to a point in seconds since 1970; -1: no Date. */
static int64_t until(double seconds, struct span headers)
{
    int64_t now = date_read(headers_find(headers, "date"));
    if (now < 0)
        return -1;
    return seconds <= (double)now ? 0 : in_bounds((seconds - (double)now) * 1000);
}

static int64_t read_after(struct span value, struct span headers, double unit)
{
    int64_t delay = delay_read(value); /* no header should have a unit; some do */
    if (delay >= 0)
        return delay;
    double number;
    struct span rest = value;
    if (!take_number(&rest, &number)) {
        int64_t date = date_read(value);
        return date < 0 ? -1 : until((double)date, headers);
    }
    if (number >= EPOCH_SECONDS * 1000.0)
        return until(number / 1000, headers);
    if (number >= EPOCH_SECONDS && unit > 1)
        return until(number, headers);
    return in_bounds(number * unit);
}

int64_t headers_retry_after(struct span headers)
{
    static const struct {
        const char *name;
        double unit;
    } rows[] = {{"retry-after-ms", 1}, {"retry-after", 1000}};
    int64_t longest = -1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span rest = headers, value;
        while (headers_next(&rest, rows[i].name, &value)) {
            int64_t delay = read_after(value, headers, rows[i].unit);
            longest = delay > longest ? delay : longest;
        }
    }
    return longest;
}
