#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes configure and its friends out of configure.ac and Makefile.am.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all,no-obsolete
