/* SPDX-License-Identifier: MIT */
/* discover: which teacher is there, and which model does it serve?
 *
 * One GET of /v1/models (OpenAI's list, which vLLM, llama.cpp, SGLang, Ollama and LM
 * Studio serve too). It asks nothing of a model and costs nothing. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "harvest/config.h"
#include "harvest/console.h"
#include "harvest/credential.h"

/* Looks for a local server on the usual ports and sets teacher->url to the first that
 * lists models. Errors: ERR_UNREACHABLE, with what was looked for and how to start one.
 */
int discover_server(struct teacher_conf *teacher, struct console *console,
                    struct err *err);

/* Asks teacher->url for its models. Sets teacher->model when it was not given and the
 * server has just one; refuses (ERR_USAGE) a model that a list does not hold, before
 * anything is spent. A server without a list is believed. *dialect gets what the list
 * tells of the server. Waits for one that is loading or not up yet, at most max_wait_ms.
 * Errors: ERR_USAGE, ERR_CREDENTIAL (401, 403), ERR_UNREACHABLE. */
int discover_model(const struct config *config, struct teacher_conf *teacher,
                   const struct credential *credential, unsigned *dialect,
                   struct console *console, struct err *err);
