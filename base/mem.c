/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mem_check(void *p)
{
    if (p == NULL) {
        fputs("harvest: out of memory; everything committed is safe in the store\n",
              stderr);
        abort();
    }
    return p;
}

void *mem_new(size_t size)
{
    return mem_check(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
    return mem_check(calloc(count ? count : 1, size ? size : 1));
}

void *mem_grow(void *p, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        mem_check(NULL);
    size_t total = count * size;
    return mem_check(realloc(p, total ? total : 1));
}

void *mem_copy(const void *p, size_t size)
{
    void *copy = mem_check(malloc(size ? size : 1));
    if (size != 0)
        memcpy(copy, p, size);
    return copy;
}

char *mem_str(const char *text)
{
    return text == NULL ? NULL : mem_copy(text, strlen(text) + 1);
}

char *mem_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return mem_check(n < 0 ? NULL : text);
}
