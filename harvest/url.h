/* SPDX-License-Identifier: MIT */
/* url: a teacher's address in one spelling, and the origin that its key may go to. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Checks and normalises "scheme://host[:port][/prefix]": scheme and host in lower case,
 * no default port, no slash at the end, no /v1 (codecs' paths bring it), no
 * /chat/completions. Returns text to be freed, or NULL with ERR_USAGE: no http(s) scheme,
 * user or password in it, '?', '#', white space, or a port that is none. */
char *url_normalise(const char *url, struct err *err);

/* The scheme://host[:port] at the start of a normalised address. */
struct span url_origin(const char *url);
