/* SPDX-License-Identifier: MIT */
/* read_text: one prompt a line, with the white space around it: it may matter. */
#include "prompts/prompts.h"

static int parse(const struct reader_line *line, struct arena *arena,
                 struct prompt *prompt, struct err *err)
{
    (void)err; /* any line is a prompt */
    prompt->messages = reader_user_message(line->text, arena);
    return 0;
}

const struct reader read_text = {
    .name = "text",
    .suffixes = " .txt .text ",
    .about = "one prompt a line; blank lines are skipped",
    .parse = parse,
};
