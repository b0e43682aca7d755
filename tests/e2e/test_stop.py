# SPDX-License-Identifier: MIT
"""Signals, a full disk, a second run: what is paid for stays, and the exit code says why."""
import os
import signal
import subprocess
import time

import pytest
from fake import wait_for

MANY = "".join(f"prompt number {i}\n" for i in range(400))


@pytest.fixture
def under_way(harvest, fake_teacher, tmp_path):
    """A run that has asked a few prompts: under_way(delay_ms) -> (teacher, process)."""
    def start(delay, *words, after=6):
        teacher = fake_teacher("--delay", delay)
        (tmp_path / "p.txt").write_text(MANY)
        process = harvest.start("run", "--url", teacher.url, "--model", "fake", "-c", 4, *words,
                                "p.txt")
        wait_for("requests at the teacher", lambda: teacher.asked() >= after)
        return teacher, process
    return start


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_signal_drains(harvest, under_way, number, status):
    teacher, process = under_way(150)
    process.send_signal(number)
    assert process.wait(20) == status
    counts = harvest.json("status")
    assert counts["answered"] == teacher.asked() == teacher.counts()["billed"]
    assert (counts["ambiguous"], counts["in_flight"]) == (0, 0)
    assert "same command" in process.stderr_file.read_text()


def test_second_signal_stops(harvest, under_way):
    teacher, process = under_way(60000, after=4)
    process.send_signal(signal.SIGINT)
    wait_for("the drain to be announced",
             lambda: process.stderr_file.stat().st_size or time.sleep(0.2) is None)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert time.monotonic() - began < 5
    assert harvest.query("SELECT outcome, reason, count(*) FROM attempts GROUP BY 1, 2") == \
        [("ambiguous", "cancelled", 4)]
    assert teacher.asked() == 4


def test_drain_has_an_end(under_way):
    teacher, process = under_way(60000, "--drain", "300ms", after=4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    assert teacher.asked() == 4


def test_resume_after_a_signal(harvest, under_way):
    teacher, process = under_way(20)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    harvest("run", "--url", teacher.url, "--model", "fake", "-c", 32, "p.txt")
    assert teacher.counts()["billed"] == 400


def test_second_run_on_the_same_store(harvest, under_way):
    teacher, process = under_way(200)
    refused = harvest("run", "--url", teacher.url, "--model", "fake", "p.txt", status=11)
    assert str(process.pid) in refused.stderr
    harvest("retry", "--failed", status=11)
    assert harvest.json("status")["requests"] == 400, "readers are never locked out"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


def test_lock_dies_with_its_holder(harvest, under_way):
    teacher, process = under_way(200)
    process.kill()
    process.wait(20)
    harvest("run", "--url", teacher.url, "--model", "fake", "--limit", 1, "p.txt")


# ---- no room ------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a megabyte: a file system of its own, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", folder],
                             capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("no permission to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def assert_goes_on(harvest, teacher, process, store, *, make_room):
    """Full: exit 8, and everything that was stored stays; with room the job is finished and
    what was paid for twice is at most what could not be stored."""
    assert process.wait(60) == 8
    told = process.stderr_file.read_text()
    assert "fix:" in told and "harvest: error:" in told
    stored = harvest.json("status", "--store", store)
    before = teacher.counts()["billed"]
    assert stored["answered"] > 0 and stored["failed"] == 0
    lost = before - stored["answered"]
    assert lost <= 2 * (4 + 64), "more was lost than could be on its way"
    make_room()
    harvest("run", "--url", teacher.url, "--model", "fake", "--store", store, "-c", 16, "p.txt")
    assert harvest.json("status", "--store", store)["answered"] == 400
    assert teacher.counts()["billed"] == 400 + lost
    assert harvest.query("PRAGMA integrity_check", store) == [("ok",)]


def test_disk_full(harvest, fake_teacher, tmp_path, small_disk):
    teacher = fake_teacher("--size", 20000)
    (tmp_path / "p.txt").write_text(MANY)
    process = harvest.start("run", "--url", teacher.url, "--model", "fake", "--store",
                            "disk/h.db", "-c", 4, "p.txt")
    assert_goes_on(harvest, teacher, process, "disk/h.db", make_room=lambda: subprocess.run(
        ["mount", "-o", "remount,size=64M", small_disk], check=True))


def test_file_size_limit(harvest, fake_teacher, tmp_path):
    """The same by ulimit, which everyone may set."""
    teacher = fake_teacher("--size", 20000)
    (tmp_path / "p.txt").write_text(MANY)
    process = harvest.start("run", "--url", teacher.url, "--model", "fake", "-c", 4, "p.txt",
                            prefix=["prlimit", f"--fsize={1 << 20}"])
    assert_goes_on(harvest, teacher, process, "harvest.db", make_room=lambda: None)


def test_full_from_the_beginning(harvest, fake_teacher, tmp_path, small_disk):
    teacher = fake_teacher()
    (tmp_path / "p.txt").write_text(MANY)
    (small_disk / "ballast").write_bytes(b"x" * (1 << 20 - 1))
    with open(small_disk / "more", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    refused = harvest("run", "--url", teacher.url, "--model", "fake", "--store", "disk/h.db",
                      "p.txt", status=8)
    assert "fix:" in refused.stderr
    assert teacher.asked() == 0


def test_export_into_a_full_disk(harvest, ask, tmp_path, small_disk):
    ask("--limit", 200, "-c", 16, prompts=MANY, teacher=("--size", 10000))
    harvest("export", "-o", "disk/dataset", status=8)
    assert os.listdir(small_disk) == []
