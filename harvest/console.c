/* SPDX-License-Identifier: MIT */
#include "harvest/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/term.h"

enum { LINE_MAX_BYTES = 4096 };

void console_init(struct console *console, bool quiet, bool verbose, bool json)
{
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) != 0;
    *console = (struct console){
        .notices = !quiet && (terminal || verbose),
        .warnings = !quiet,
        .live = !quiet && !json && terminal && term != NULL && strcmp(term, "dumb") != 0,
    };
}

__attribute__((format(printf, 3, 0))) static void
say(struct console *console, const char *before, const char *format, va_list args)
{
    char text[LINE_MAX_BYTES];
    vsnprintf(text, sizeof text, format, args);
    console_erase(console);
    fputs(before, stderr);
    term_put(stderr, span_of(text));
    fputc('\n', stderr);
}

void console_notice(struct console *console, const char *format, ...)
{
    if (!console->notices)
        return;
    va_list args;
    va_start(args, format);
    say(console, "", format, args);
    va_end(args);
}

void console_warn(struct console *console, const char *format, ...)
{
    if (!console->warnings)
        return;
    va_list args;
    va_start(args, format);
    say(console, "harvest: warning: ", format, args);
    va_end(args);
}

static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

/* A character is taken to be one column wide: the line is ours and holds ASCII and a few
 * marks of one column. */
static size_t cut_to(struct span line, size_t columns)
{
    size_t i = 0;
    for (size_t used = 0; i < line.n; i++) {
        used += ((unsigned char)line.p[i] & 0xc0) != 0x80;
        if (used > columns)
            break;
    }
    return i;
}

void console_draw(struct console *console, struct span line)
{
    if (!console->live)
        return;
    size_t n = cut_to(line, terminal_width() - 1);
    fprintf(stderr, "\r%.*s\033[K", (int)n, line.p);
    fflush(stderr);
    console->drawn = true;
}

void console_erase(struct console *console)
{
    if (!console->drawn)
        return;
    fputs("\r\033[K", stderr);
    console->drawn = false;
}
