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
PROMPTS = 7 * KILLS  # so that hardly any run ends before it is killed
CONCURRENCY = 6
# Delays of several lengths, so that kills meet requests in all of their states.
SCRIPT = "every 5 200 delay=60ms\nevery 7 drip 200 every=1ms\n* 200 delay=30ms\n"


class Torture:
    def __init__(self, harvest, teacher, seed):
        self.harvest, self.teacher = harvest, teacher
        self.random = random.Random(seed)
        self.command = [HARVEST, "run", "--url", teacher.url, "--model", "fake", "-c",
                        str(CONCURRENCY), "--top-logprobs", "2", "p.txt"]
        self.startup = 0.050
        self.in_flight = self.most = 0  # at the kills: added up; at one of them

    def start(self):
        return subprocess.Popen(self.command, cwd=self.harvest.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL,
                                env=clean_environment(self.harvest.folder))

    def intents(self):
        """Requests that the store knows to have been sent, and of no end."""
        folder = self.harvest.folder
        if not (folder / "harvest.db").exists() or (folder / "harvest.db-journal").exists():
            return 0  # the store was being made
        if not self.harvest.query("SELECT 1 FROM sqlite_master WHERE name = 'intent'"):
            return 0
        return self.harvest.query("SELECT count(*) FROM intent")[0][0]

    def moment(self):
        """One in five before anything is asked, the others while it is."""
        if self.random.random() < 0.2:
            return self.random.uniform(0, self.startup)
        return self.startup + self.random.uniform(0, 0.080)

    def kill_once(self):
        """False when the run was over before. Learns how long a run takes to begin on this
        machine, today, from how often a kill comes too early."""
        process = self.start()
        time.sleep(self.moment())
        process.send_signal(signal.SIGKILL)
        killed = process.wait(20) == -signal.SIGKILL
        met = self.intents()
        self.in_flight += met
        self.most = max(self.most, met)
        self.startup *= 1.1 if met == 0 else 0.96
        return killed


def undisturbed(harvest, fake_teacher):
    teacher = fake_teacher()
    harvest("run", "--store", "calm.db", "--url", teacher.url, "--model", "fake", "-c", 32,
            "--top-logprobs", 2, "p.txt")
    harvest("export", "--store", "calm.db", "--logprobs", "-o", "calm")


def test_two_hundred_kills(harvest, fake_teacher, tmp_path):
    seed = int(os.environ.get("HARVEST_TEST_SEED") or time.time_ns() % 1000000)
    print(f"HARVEST_TEST_SEED={seed}")
    (tmp_path / "p.txt").write_text("".join(f"prompt {i}\n" for i in range(PROMPTS)))
    undisturbed(harvest, fake_teacher)
    torture = Torture(harvest, fake_teacher(script=SCRIPT), seed)
    kills = 0
    while kills < KILLS:
        kills += torture.kill_once()
    harvest(*torture.command[1:])

    counts = torture.teacher.stop()
    print(f"kills {kills}, in flight at them {torture.in_flight}, counts {counts}")
    twice = counts["billed"] - counts["distinct"]
    assert counts["distinct"] == PROMPTS
    assert twice <= torture.in_flight
    assert torture.most <= CONCURRENCY + 2 * 64, "more was in flight than may be"
    assert torture.in_flight > KILLS, "the kills met hardly anything"
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
