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
    """A disk of 12 MB: a file system of its own, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12M", "tmpfs", folder],
                             capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("no permission to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill_up(harvest, fake_teacher, folder, store, prefix=()):
    """A run that gets more than there is room for: (teacher, answers it could not store)."""
    teacher = fake_teacher("--size", 200000)
    (folder / "p.txt").write_text(MANY)
    process = harvest.start("run", "--url", teacher.url, "--model", "fake", "--store", store,
                            "-c", 4, "p.txt", prefix=prefix)
    assert process.wait(60) == 8
    told = process.stderr_file.read_text()
    assert told.startswith("harvest: error: ") and "safe:" in told and "fix:" in told
    stored = harvest.json("status", "--store", store)
    assert stored["answered"] > 0 and stored["failed"] == 0
    return teacher, teacher.counts()["billed"] - stored["answered"]


def assert_goes_on(harvest, teacher, store, lost):
    """With room again the job is finished; only what could not be stored is paid twice."""
    harvest("run", "--url", teacher.url, "--model", "fake", "--store", store, "-c", 16, "p.txt")
    assert harvest.json("status", "--store", store)["answered"] == 400
    assert teacher.counts()["billed"] == 400 + lost
    assert harvest.query("PRAGMA integrity_check", store) == [("ok",)]


def test_disk_full(harvest, fake_teacher, tmp_path, small_disk):
    """Room is kept back for what is on its way, so that nothing at all is lost."""
    teacher, lost = fill_up(harvest, fake_teacher, tmp_path, "disk/h.db")
    assert lost == 0
    subprocess.run(["mount", "-o", "remount,size=400M", small_disk], check=True)
    assert_goes_on(harvest, teacher, "disk/h.db", lost)


def test_file_size_limit(harvest, fake_teacher, tmp_path):
    """The same by ulimit, which everyone may set. No room can be kept back for that."""
    teacher, lost = fill_up(harvest, fake_teacher, tmp_path, "harvest.db",
                            prefix=["prlimit", f"--fsize={12 << 20}"])
    assert lost <= 3 * 4, "more was lost than may be on its way"
    assert_goes_on(harvest, teacher, "harvest.db", lost)


def test_full_from_the_beginning(harvest, fake_teacher, tmp_path, small_disk):
    teacher = fake_teacher()
    (tmp_path / "p.txt").write_text(MANY)
    (small_disk / "ballast").write_bytes(b"x" * (6 << 20))
    refused = harvest("run", "--url", teacher.url, "--model", "fake", "--store", "disk/h.db",
                      "p.txt", status=8)
    assert "No space left on device" in refused.stderr and "fix:" in refused.stderr
    assert teacher.asked() == 0


def test_export_into_a_full_disk(harvest, ask, small_disk):
    ask("--limit", 100, "-c", 16, prompts=MANY, teacher=("--size", 200000))
    harvest("export", "-o", "disk/dataset", status=8)
    assert os.listdir(small_disk) == []
