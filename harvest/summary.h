/* SPDX-License-Identifier: MIT */
/* summary: what a run came to, for people, for scripts, and as an exit code. */
#pragma once

#include "base/err.h"
#include "harvest/run.h"

/* Prints the summary as notices, or with --json as one object on standard output. */
void summary_print(const struct run_job *job, const struct run_result *result);

/* Turns what stopped or spoiled the run into an error (its code is the exit code); leaves
 * err alone when everything asked for is stored. */
void summary_judge(const struct run_job *job, const struct run_result *result,
                   struct err *err);
