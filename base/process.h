/* SPDX-License-Identifier: MIT */
/* process: what the program asks of the kernel for itself before anything else. */
#pragma once

/* Writing to a closed pipe or beyond the limit on file sizes becomes an error instead of a
 * death; no core file and no debugger of another program shows the credentials in memory. */
void process_protect(void);
