/* SPDX-License-Identifier: MIT */
/* version: which SQLite and zstd the program runs on, for --version. */
#pragma once

const char *store_sqlite_version(void);
const char *store_zstd_version(void);
