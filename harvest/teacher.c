/* SPDX-License-Identifier: MIT */
#include "harvest/teacher.h"

#include <string.h>

/* The registry is the list TEACHERS in Makefile.am; a codec is named as its file. */
#define X(name) extern const struct codec name;
#include "harvest/teachers.inc"
#undef X

const struct codec *const *codec_all(void)
{
    static const struct codec *const all[] = {
#define X(name) &name,
#include "harvest/teachers.inc"
#undef X
        NULL,
    };
    return all;
}

const struct codec *codec_find(const char *name)
{
    const struct codec *const *codec = codec_all();
    while (*codec != NULL && strcmp((*codec)->name, name) != 0)
        codec++;
    return *codec;
}
