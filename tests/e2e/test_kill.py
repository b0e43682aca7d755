# SPDX-License-Identifier: MIT
"""kill -9 at two hundred random moments: nothing paid for is lost, nothing is paid for twice
but what was in flight, and the dataset is that of a run that nobody disturbed."""
import os
import random
import signal
import subprocess
import time

import pytest
from conftest import HARVEST, clean_environment
from test_run import dataset_bytes

KILLS = int(os.environ.get("HARVEST_TEST_KILLS") or 200)
PROMPTS = 2 * KILLS
CONCURRENCY = 6
# Delays of several lengths, so that kills meet requests in all of their states.
SCRIPT = "every 5 200 delay=25ms\nevery 7 drip 200 every=1ms\n* 200 delay=8ms\n"


class Torture:
    def __init__(self, harvest, teacher, seed):
        self.harvest, self.teacher = harvest, teacher
        self.random = random.Random(seed)
        self.command = [HARVEST, "run", "--url", teacher.url, "--model", "fake", "-c",
                        str(CONCURRENCY), "--top-logprobs", "2", "p.txt"]
        self.in_flight = 0  # at the kills, added up

    def start(self):
        return subprocess.Popen(self.command, cwd=self.harvest.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL,
                                env=clean_environment(self.harvest.folder))

    def intents(self):
        """Requests that the store knows to have been sent, and of no end."""
        if not (self.harvest.folder / "harvest.db").exists():
            return 0
        if not self.harvest.query("SELECT 1 FROM sqlite_master WHERE name = 'intent'"):
            return 0
        return self.harvest.query("SELECT count(*) FROM intent")[0][0]

    def kill_once(self, longest):
        process = self.start()
        time.sleep(self.random.uniform(0, longest))
        process.send_signal(signal.SIGKILL)
        killed = process.wait(20) == -signal.SIGKILL
        self.in_flight += self.intents()
        return killed


def undisturbed(harvest, fake_teacher):
    teacher = fake_teacher()
    harvest("run", "--store", "calm.db", "--url", teacher.url, "--model", "fake", "-c", 32,
            "--top-logprobs", 2, "p.txt")
    harvest("export", "--store", "calm.db", "--logprobs", "-o", "calm")


def startup(harvest):
    began = time.monotonic()
    harvest("status", "--store", "calm.db")
    return time.monotonic() - began


def test_two_hundred_kills(harvest, fake_teacher, tmp_path):
    seed = int(os.environ.get("HARVEST_TEST_SEED") or time.time_ns() % 1000000)
    print(f"HARVEST_TEST_SEED={seed}")
    (tmp_path / "p.txt").write_text("".join(f"prompt {i}\n" for i in range(PROMPTS)))
    undisturbed(harvest, fake_teacher)
    torture = Torture(harvest, fake_teacher(script=SCRIPT), seed)
    longest = 3 * startup(harvest) + 0.060
    kills, most = 0, 0
    while kills < KILLS:
        before = torture.in_flight
        kills += torture.kill_once(longest)
        most = max(most, torture.in_flight - before)
    harvest(*torture.command[1:])

    counts = torture.teacher.stop()
    print(f"kills {kills}, in flight at them {torture.in_flight}, counts {counts}")
    twice = counts["billed"] - counts["distinct"]
    assert counts["distinct"] == PROMPTS
    assert twice <= torture.in_flight
    assert most <= CONCURRENCY + 2 * 64, "more was in flight than may be"
    assert torture.in_flight > KILLS // 4, "the kills met hardly anything"
    assert counts["max_in_flight"] <= 2 * CONCURRENCY, "the killed run's, and the next one's"

    assert harvest.query("SELECT count(*), count(DISTINCT request) FROM answers") == \
        [(PROMPTS, PROMPTS)]
    assert harvest.query("SELECT count(*) FROM intent") == [(0,)]
    assert harvest.query("SELECT count(*) FROM requests WHERE state = 'answered'") == \
        [(PROMPTS,)]
    assert harvest.query("PRAGMA integrity_check") == [("ok",)]
    killed, = harvest.query("SELECT count(*) FROM attempts WHERE reason = 'killed'")[0]
    assert killed <= torture.in_flight and killed >= twice
    harvest("export", "--logprobs", "-o", "dataset")
    assert dataset_bytes(tmp_path / "dataset") == dataset_bytes(tmp_path / "calm")


@pytest.mark.parametrize("when", ["", " after=150", " after=100000"])
def test_killed_within_a_reply(harvest, fake_teacher, tmp_path, when):
    """At the moment the teacher chooses: before, within and right after a reply."""
    teacher = fake_teacher("--kill-pid-file", tmp_path / "pid", "--delay", 20,
                           script=f"5 kill{when}")
    (tmp_path / "p.txt").write_text("".join(f"prompt {i}\n" for i in range(12)))
    run = ("run", "--url", teacher.url, "--model", "fake", "-c", 1, "p.txt")
    process = harvest.start(*run)
    (tmp_path / "pid").write_text(str(process.pid))
    assert process.wait(20) == -signal.SIGKILL
    assert harvest.json("status")["answered"] in (4, 5)
    harvest(*run)
    assert harvest.json("status")["answered"] == 12
    counts = teacher.counts()
    assert counts["distinct"] == 12 and counts["billed"] <= 13
