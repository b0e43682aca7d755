#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up what automake wrote about each test: summary.py BUILD OPTIONAL MAKE-STATUS

Prints what failed with the end of its log, then "N passed, N failed" on the last line. A test
that was skipped did not pass: it counts as failed unless OPTIONAL, a file of lines
`name reason…`, says that it may be.
"""
import pathlib
import re
import sys

PASSED = ("PASS", "XFAIL")


def read_optional(path):
    lines = (line.split("#")[0].split(None, 1) for line in path.read_text().splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def results(build):
    """(file, verdict, name) of each TAP point; a file that ended badly has one of its own."""
    for trs in sorted(build.rglob("*.trs")):
        name = str(trs.relative_to(build).with_suffix(""))
        points = re.findall(r"^:test-result: (\w+) ?(.*)$", trs.read_text(), re.M)
        if not points:
            points = [("ERROR", "no result")]
        for verdict, words in points:
            yield name, verdict, words


def main():
    build, optional = pathlib.Path(sys.argv[1]), read_optional(pathlib.Path(sys.argv[2]))
    passed, bad, files = 0, [], set()
    for file, verdict, words in results(build):
        files.add(file)
        if verdict in PASSED:
            passed += 1
        elif verdict == "SKIP" and file in optional:
            print(f"skipped: {file} {words} ({optional[file].strip()})")
        else:
            bad.append((file, f"{verdict} {words}"))
    for file in sorted({file for file, _ in bad}):
        print(f"\n{file}:")
        print("".join(f"  {words}\n" for name, words in bad if name == file), end="")
        log = build / (file + ".log")
        for line in log.read_text(errors="replace").splitlines()[-40:]:
            print("  |", line)
    failed = len(bad)
    if not files or (not failed and sys.argv[3] != "0"):
        print("make check itself failed; its output is in the log", file=sys.stderr)
        failed += 1
    print(f"\n{len(files)} files of tests\n{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
