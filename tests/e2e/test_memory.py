# SPDX-License-Identifier: MIT
"""Nothing grows with the length of the prompt set or of the store: peak memory of the whole
process with few and with many."""
import os
import subprocess

import pytest
from conftest import HARVEST, clean_environment

FEW, MANY, MARGIN_KB = 2000, 30000, 12 * 1024


@pytest.fixture(scope="module", autouse=True)
def plain_build():
    if b"__asan_init" in HARVEST.read_bytes():
        pytest.skip("the sanitizers keep freed memory")


def peak_kb(folder, *words):
    process = subprocess.Popen([HARVEST, *map(str, words)], cwd=folder,
                               env=clean_environment(folder))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def prompts(folder, count):
    path = folder / f"{count}.txt"
    path.write_text("".join(f"Question {number}, with the same words as all others?\n"
                            for number in range(count)))
    return path


def test_peak_memory_does_not_follow_the_work(fake_teacher, tmp_path):
    teacher = fake_teacher("--size", "1000")
    peaks = {}
    for count in (FEW, MANY):
        store = ("--store", f"{count}.db")
        asking = ("run", prompts(tmp_path, count), "--url", teacher.url, "-c", "16", *store)
        peaks[count] = (peak_kb(tmp_path, *asking),
                        peak_kb(tmp_path, *asking),  # nothing left to ask
                        peak_kb(tmp_path, "status", *store),
                        peak_kb(tmp_path, "export", "-o", f"dataset{count}", *store))
    for few, many in zip(peaks[FEW], peaks[MANY], strict=True):
        assert many < few + MARGIN_KB, peaks
