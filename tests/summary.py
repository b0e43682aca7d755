#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up what automake wrote about each test: summary.py BUILD OPTIONAL MAKE-STATUS

Prints what failed, then "N passed, N failed" on the last line. A test that was skipped did not
pass: it counts as failed unless OPTIONAL, a file of lines `name reason…`, says that it may be.
"""
import pathlib
import re
import sys

TAIL = 60  # lines of a log that are shown


def read_optional(path):
    lines = (line.split("#")[0].split(None, 1) for line in path.read_text().splitlines())
    return {words[0]: words[1].strip() for words in lines if len(words) == 2}


def verdicts(trs):
    """What automake's driver says of one file of tests, a word a TAP point."""
    words = re.findall(r"^:test-result: (\w+)", trs.read_text(), re.M)
    if "FAIL" in words and "ERROR" in words:
        words.remove("ERROR")  # that it ended badly only repeats that a point failed
    return words or ["ERROR"]


def show(name, bad, log):
    """The log without what went well."""
    print(f"\n{name}: {', '.join(bad)}")
    lines = [line for line in log.read_text(errors="replace").splitlines()
             if not re.match(r"ok \d|PASS: |1\.\.\d", line)]
    for line in lines[-TAIL:]:
        print("  |", line)


def main():
    build, optional = pathlib.Path(sys.argv[1]), read_optional(pathlib.Path(sys.argv[2]))
    passed = failed = files = 0
    for trs in sorted(build.rglob("*.trs")):
        name = str(trs.relative_to(build).with_suffix(""))
        words = verdicts(trs)
        files += 1
        passed += sum(word in ("PASS", "XFAIL") for word in words)
        bad = [word for word in words if word not in ("PASS", "XFAIL")]
        if set(bad) == {"SKIP"} and name in optional:
            print(f"{name}: {len(bad)} skipped: {optional[name]}")
        elif bad:
            failed += len(bad)
            show(name, bad, trs.with_suffix(".log"))
    if files == 0 or (failed == 0 and sys.argv[3] != "0"):
        print("make check itself failed; its output is in quickstart.d/log", file=sys.stderr)
        failed += 1
    print(f"\n{files} files of tests\n{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
