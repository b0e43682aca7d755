/* SPDX-License-Identifier: MIT */
/* transport_version: which libcurl and libuv the program runs on, for --version. */
#pragma once

const char *transport_curl_version(void);
const char *transport_uv_version(void);
