# SPDX-License-Identifier: MIT
"""Does make bench still run? One small round without the Python peers; no figure is judged."""
import subprocess
import sys

from conftest import BUILD, SOURCE, clean_environment


def test_one_quick_round(tmp_path):
    done = subprocess.run([sys.executable, SOURCE / "tests/bench/run.py", BUILD, "--quick"],
                          capture_output=True, text=True, timeout=300, check=False,
                          env=clean_environment(tmp_path))
    assert done.returncode == 0, done.stderr
    figures = dict(line.split()[:2] for line in done.stdout.splitlines()
                   if not line.startswith("#"))
    for name in ("plain.harvest.cpu", "plain.curl.cpu", "logprobs.harvest.cpu", "decode.codec",
                 "ratio.decode.jansson/codec"):
        assert float(figures[name]) > 0
