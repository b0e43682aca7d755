/* SPDX-License-Identifier: MIT */
#include "harvest/figures.h"

#include <stdio.h>
#include <time.h>

#include "base/term.h"
#include "harvest/progress.h"

void figures_add_count(struct buf *out, uint64_t n)
{
    progress_add_count(out, n);
}

void figures_add_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    if (bytes < 1000) {
        buf_format(out, "%u byte%s", (unsigned)bytes, bytes == 1 ? "" : "s");
        return;
    }
    double value = (double)bytes / 1000;
    size_t unit = 0;
    for (; value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1000;
    buf_format(out, "%.1f %s", value, units[unit]);
}

void figures_add_time(struct buf *out, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[64];
    if (gmtime_r(&seconds, &parts) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) > 0)
        buf_text(out, text);
    else
        buf_text(out, "?");
}

void figures_add_word(struct buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_./=:,@%+";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        buf_text(out, word);
        return;
    }
    buf_byte(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            buf_text(out, "'\\''");
        else
            buf_byte(out, *word);
    }
    buf_byte(out, '\'');
}

void figures_add_command(struct buf *out, const struct config *config, const char *words)
{
    buf_format(out, "harvest %s", words);
    if (!config_is_set(config, "store"))
        return;
    buf_text(out, " --store ");
    figures_add_word(out, config->store);
}

void figures_add_run(struct buf *out, const struct config *config,
                     const struct run_row *last)
{
    size_t n = strlen(last->command);
    if (n > 0 && n < sizeof last->command - 4)
        buf_text(out, last->command);
    else
        figures_add_command(out, config, "run PROMPTS\xe2\x80\xa6");
}

void figures_print(struct buf *text)
{
    term_put(stdout, buf_view(text));
    buf_clear(text);
}
