# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: where things are, how harvest is called, TAP."""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess

import pytest
from fake import Alone, Teacher

SOURCE = pathlib.Path(os.environ.get("srcdir") or ".").resolve()
BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE).resolve()
HARVEST = pathlib.Path(os.environ.get("HARVEST_BIN") or BUILD / "harvest" / "harvest")
FAKE_TEACHER = BUILD / "tests" / "teacher" / "fake_teacher"


def clean_environment(home):
    """Neither the caller's settings nor his proxies nor his home have a say in a test."""
    keep = {name: value for name, value in os.environ.items()
            if not name.startswith("HARVEST_") and not name.lower().endswith("_proxy")}
    return keep | {"HOME": str(home), "LC_ALL": "C.UTF-8"}


class Harvest:
    """Calls harvest in a folder of its own: harvest("run", "p.txt", status=0)."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def __call__(self, *words, status=0, stdin="", prefix=(), timeout=120, **environment):
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run([*prefix, HARVEST, *map(str, words)], cwd=self.folder, input=data,
                              capture_output=True, timeout=timeout, check=False,
                              env=clean_environment(self.folder) | environment)
        done.stdout = done.stdout.decode("utf-8", "surrogateescape")
        done.stderr = done.stderr.decode("utf-8", "surrogateescape")
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words, **more):
        """The last object that a command with --json prints."""
        return json.loads(self(*words, "--json", **more).stdout.rstrip("\n").split("\n")[-1])

    def start(self, *words, prefix=()):
        """In the background; its output goes to files, so that it never waits for us."""
        number = len(self.running)
        with open(self.folder / f"stdout.{number}", "wb") as out, \
             open(self.folder / f"stderr.{number}", "wb") as err:
            process = subprocess.Popen([*prefix, HARVEST, *map(str, words)], cwd=self.folder,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       env=clean_environment(self.folder))
        process.stderr_file = self.folder / f"stderr.{number}"
        self.running.append(process)
        return process

    def rows(self, dataset="dataset"):
        """What was exported, in its order."""
        return [json.loads(line) for shard in sorted((self.folder / dataset / "data").iterdir())
                for line in shard.read_bytes().removesuffix(b"\n").split(b"\n")]

    def query(self, sql, store="harvest.db"):
        """Rows of a read-only query, as anyone with sqlite3 would put it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / store}?mode=ro",
                                                uri=True)) as base:
            return base.execute(sql).fetchall()

    def stop(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait(20)


@pytest.fixture
def harvest(tmp_path):
    caller = Harvest(tmp_path)
    yield caller
    caller.stop()


@pytest.fixture
def fake_teacher(tmp_path_factory):
    """Starts fake teachers: fake_teacher("--delay", 5, script="1 500")."""
    started = []

    def start(*words, script="", prefix=()):
        folder = tmp_path_factory.mktemp("teacher") / "files"
        teacher = Teacher(FAKE_TEACHER, folder, words, script, prefix)
        started.append(teacher)
        return teacher
    yield start
    for teacher in started:
        teacher.stop()
        assert teacher.process.returncode == 0, (teacher.folder / "output").read_text()


@pytest.fixture
def alone():
    network = Alone()
    yield network
    network.stop()


@pytest.fixture
def ordinary():
    """Prefix for a command that permissions hold for, whoever runs the tests: root without
    its power over them."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]


@pytest.fixture
def ask(harvest, fake_teacher):
    """The usual beginning: a teacher, prompts, one run. Returns the teacher."""
    def call(*words, prompts="one\ntwo\nthree\n", script="", teacher=(), status=0):
        server = fake_teacher(*teacher, script=script)
        (harvest.folder / "prompts.txt").write_text(prompts, encoding="utf-8")
        server.done = harvest("run", "--url", server.url, *words, "prompts.txt", status=status)
        return server
    return call


class Tap:
    """One TAP point for each test; a test that breaks while being set up is one as well."""

    def __init__(self, descriptor):
        self.out = os.fdopen(descriptor, "w")
        self.count = 0

    def point(self, verdict, report, why=""):
        self.count += 1
        print(f"{verdict} {self.count} - {report.nodeid.replace('#', '')}{why}", file=self.out, flush=True)

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
