/* SPDX-License-Identifier: MIT */
/* mem: allocation that never returns NULL.
 *
 * A program whose durability comes from committed transactions gains nothing from four
 * hundred untested branches: when memory is gone, a message is printed and the process
 * aborts; what was committed stays. Everything is freed with free(). */
#pragma once

#include <stddef.h>

void *mem_new(size_t size);                 /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed; overflow aborts */
void *mem_grow(void *p, size_t count,
               size_t size); /* realloc; the new part is not zeroed */
void *mem_copy(const void *p, size_t size);
char *mem_str(const char *text); /* copy; NULL gives NULL */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Passes p through, aborts when it is NULL: for constructors of foreign libraries. */
void *mem_check(void *p);
