/* SPDX-License-Identifier: MIT */
/* figures: numbers, times and commands as people read and type them. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "harvest/config.h"
#include "store/overview.h"

/* "7,412" */
void figures_add_count(struct buf *out, uint64_t n);
/* "812 bytes", "1.2 MB": thousands are 1000. */
void figures_add_bytes(struct buf *out, uint64_t bytes);
/* "2026-11-22 10:11:12 UTC" */
void figures_add_time(struct buf *out, int64_t ms);
/* One word as a shell takes it back. */
void figures_add_word(struct buf *out, const char *word);
/* "harvest WORDS", with the store that this call has named: to be typed as it is. */
void figures_add_command(struct buf *out, const struct config *config, const char *words);
/* The last run's command line, which asks for what it left; "harvest run PROMPTS…" when
 * it is not known as a whole. */
void figures_add_run(struct buf *out, const struct config *config,
                     const struct run_row *last);
/* Puts text on standard output, foreign parts made harmless, and clears the buffer. */
void figures_print(struct buf *text);
