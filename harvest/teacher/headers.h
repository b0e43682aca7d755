/* SPDX-License-Identifier: MIT */
/* headers: what response headers say, and how long a teacher asks to wait.
 *
 * Headers come as "name: value\n" lines with names in lower case (struct reply). Delays are
 * spelt in every way there is: seconds, fractions of them, dates, points in time, "6m0s",
 * "172.799999ms", and in prose. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define DELAY_MAX_MS (INT64_C(31) * 86400 * 1000) /* no teacher means more than a month */

/* Finds the next header of that name in *rest and moves *rest behind it. */
bool headers_next(struct span *rest, const char *name, struct span *value);

/* The value of the first header of that name, or an absent span. */
struct span headers_find(struct span headers, const char *name);

/* What retry-after-ms and retry-after ask for, in milliseconds, the longest of several; -1:
 * nothing. A point in time (HTTP date, seconds or milliseconds since 1970) counts from the
 * reply's own Date, so that no clock is needed and a wrong one does no harm. */
int64_t headers_retry_after(struct span headers);

/* Reads a duration at the start of a text: "36s", "3.95s", "6m0s", "1h2m3s", "250 ms",
 * "20 seconds". Milliseconds, rounded up, at most DELAY_MAX_MS; -1: there is none. */
int64_t delay_read(struct span text);

/* Seconds since 1970 of an HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT"), or -1. */
int64_t date_read(struct span text);
