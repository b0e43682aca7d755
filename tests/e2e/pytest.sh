#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one file of end-to-end tests for make check: TAP on standard output (conftest.py writes
# it to descriptor 9), pytest's own words on standard error. TEST_PYTHON names the
# Python that has tests/requirements.txt; ./quickstart --check makes one.
python=${TEST_PYTHON:-python3}
if ! "$python" -c 'import pytest' 2>/dev/null; then
    echo '1..0 # SKIP pytest is not installed (./quickstart --check installs it)'
    exit 0
fi
PYTHONDONTWRITEBYTECODE=1 TAP_FD=9 \
    exec "$python" -m pytest -q -p no:cacheprovider "$@" 9>&1 >&2
