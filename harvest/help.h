/* SPDX-License-Identifier: MIT */
/* help: what --help prints, made from the rows of options and commands, 80 columns wide.
 */
#pragma once

#include "base/buf.h"
#include "harvest/cmd.h"

void help_add_overview(struct buf *out);
void help_add_command(struct buf *out, const struct command *command);

/* The version and those of the libraries in use, one a line, or as one JSON object. */
void help_add_version(struct buf *out, bool json);
