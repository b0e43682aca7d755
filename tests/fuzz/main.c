/* SPDX-License-Identifier: MIT */
/* main: gives a fuzz target every file of the folders named, or of its own corpus
 * ($srcdir/tests/fuzz/NAME.in), one TAP point each. A failure is an abort. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_file(const char *folder, const char *name, size_t number)
{
    struct err err = {0};
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX / 2);
    char *path = mem_format("%s/%s", folder, name);
    int result = file_read(path, SIZE_MAX / 4, &bytes, &err);
    if (result == 0) {
        /* At the end of a block of its own, so that reading beyond it shows. */
        uint8_t *copy = mem_copy(buf_view(&bytes).p, bytes.n);
        LLVMFuzzerTestOneInput(copy, bytes.n);
        free(copy);
    } else {
        err_print(&err, stderr, false);
    }
    printf("%sok %zu - %s\n", result == 0 ? "" : "not ", number, name);
    fflush(stdout);
    free(path);
    buf_clear(&bytes);
    return result;
}

static int run_folder(const char *folder, size_t *count)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, alphasort), result = n < 0 ? -1 : 0;
    if (n < 0)
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        result |= run_file(folder, entries[i]->d_name, ++*count);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return result;
}

int main(int argc, char **argv)
{
    const char *top = getenv("srcdir");
    char *own = mem_format("%s/tests/fuzz/%s.in", top == NULL ? "." : top,
                           program_invocation_short_name);
    size_t count = 0;
    int result = argc > 1 ? 0 : run_folder(own, &count);
    for (int i = 1; i < argc; i++)
        result |= run_folder(argv[i], &count);
    printf("1..%zu\n", count);
    free(own);
    return result == 0 && count > 0 ? 0 : 1;
}
