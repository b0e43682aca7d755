# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: where things are, how harvest is called, TAP."""
import os
import pathlib
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ.get("srcdir") or ".").resolve()
BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE).resolve()
HARVEST = BUILD / "harvest" / "harvest"


def clean_environment(home):
    """Neither the caller's settings nor his proxies nor his home have a say in a test."""
    keep = {name: value for name, value in os.environ.items()
            if not name.startswith("HARVEST_") and not name.lower().endswith("_proxy")}
    return keep | {"HOME": str(home), "LC_ALL": "C.UTF-8"}


@pytest.fixture
def harvest(tmp_path):
    """Calls harvest in a folder of its own: harvest("run", "p.txt", status=0)."""
    def call(*words, status=0, stdin="", **more):
        done = subprocess.run([HARVEST, *map(str, words)], cwd=tmp_path, text=True, input=stdin,
                              capture_output=True, timeout=120, check=False,
                              env=clean_environment(tmp_path) | more)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done
    return call


class Tap:
    """One TAP point for each test; a test that breaks while being set up is one as well."""

    def __init__(self, descriptor):
        self.out = os.fdopen(descriptor, "w")
        self.count = 0

    def point(self, verdict, report, why=""):
        self.count += 1
        print(f"{verdict} {self.count} - {report.nodeid.replace("#", "")}{why}", file=self.out, flush=True)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.point("not ok", report)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.point("ok", report, f" # SKIP {reason.removeprefix('Skipped: ')}")
        elif report.when == "call":
            self.point("ok", report)

    def pytest_collectreport(self, report):
        if report.failed:
            self.point("not ok", report)

    def pytest_sessionfinish(self):
        print(f"1..{self.count}", file=self.out, flush=True)


def pytest_configure(config):
    descriptor = os.environ.pop("TAP_FD", None)
    if descriptor:
        config.pluginmanager.register(Tap(int(descriptor)))
