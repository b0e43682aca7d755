/* SPDX-License-Identifier: MIT */
/* console: what a person at the terminal is told, on standard error.
 *
 * Notices are for people: they appear on a terminal or with --verbose, so that a cron job
 * that succeeds is silent. Warnings appear unless --quiet. One line may be kept up to
 * date in place (progress) when standard error is a terminal. Foreign text is made
 * harmless. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct console {
    bool notices, warnings, live; /* live: a terminal that can redraw a line */
    bool drawn;                   /* a progress line is on the screen */
};

void console_init(struct console *console, bool quiet, bool verbose, bool json);
void console_notice(struct console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void console_warn(struct console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Redraws the line in place, cut to the terminal's width. */
void console_draw(struct console *console, struct span line);
void console_erase(struct console *console);
