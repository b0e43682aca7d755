/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

enum { NAME_MAX_LEN = 63, PREFIX_MIN = 3 };

static int fold(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment)
 * that make b of a. Three rows of the table are enough. */
static size_t count_edits(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            int x = fold(a[i - 1]), y = fold(b[j - 1]);
            row[j] = least(least(up[j], row[j - 1]) + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b[j - 2]) && y == fold(a[i - 2]))
                row[j] = least(row[j], up2[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

static int begins_with(const char *text, const char *start, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fold(text[i]) != fold(start[i]))
            return 0;
    }
    return 1;
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    size_t n = strlen(nearest->given), m = strlen(candidate);
    if (n == 0 || n > NAME_MAX_LEN || m > NAME_MAX_LEN)
        return;
    size_t cost = count_edits(nearest->given, n, candidate, m);
    /* A third of the letters may be wrong; "temp" for "temperature" is an abbreviation.
     */
    if (cost > (n + 2) / 3) {
        if (n < PREFIX_MIN || n > m || !begins_with(candidate, nearest->given, n))
            return;
    }
    if (nearest->found == NULL || cost < nearest->cost) {
        nearest->found = candidate;
        nearest->cost = cost;
    }
}
