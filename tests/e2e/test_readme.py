# SPDX-License-Identifier: MIT
"""Every command of README.md, in its order, in one folder, as a reader would type them.

What is put in the place of what:
- ./quickstart and ./quickstart --check are not run within the tests, which they run
  themselves; here they only have to be there and to refuse an option that they do not know;
- addresses of teachers on this machine become the fake teacher's; where the README counts on a
  server on one of the usual ports, HARVEST_URL names it;
- quickstart.d/build is the build that is being tested; --port 8080 becomes a free port;
- the line for cron runs as cron would, with sh and in ~/corpus.
"""
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest
from conftest import BUILD, SOURCE, clean_environment

MODELS = "Qwen/Qwen3-8B"
NO_OUTPUT = ("harvest run", "harvest export")


def fences(kind):
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    return [(match.start(), match.group(1))
            for match in re.finditer(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Reader:
    """Somebody with a clone of the repository, harvest in the PATH and a teacher running."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        shutil.copytree(SOURCE / "doc/examples", folder / "doc/examples")
        (folder / "corpus").mkdir()
        shutil.copy(SOURCE / "doc/examples/prompts.txt", folder / "corpus")
        self.environment = clean_environment(folder)
        self.environment.pop("MAKEFLAGS", None)
        self.environment["PATH"] = f"{BUILD / 'harvest'}:{self.environment['PATH']}"
        self.environment["HARVEST_URL"] = url

    def substitute(self, text):
        return re.sub(r"http://127\.0\.0\.1:80\d0", self.url, text)

    def type(self, commands, shell="bash"):
        done = subprocess.run([shell, "-c", "set -e\n" + commands], cwd=self.folder, text=True,
                              env=self.environment, capture_output=True, timeout=300,
                              check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (commands, done.stdout, done.stderr)
        return done

    def shell(self, block):
        if "./quickstart" in block:
            refused = subprocess.run([SOURCE / "quickstart", "--what"], capture_output=True,
                                     check=False)
            assert refused.returncode == 2 and block.strip().split()[-1].encode() in refused.stdout
            return
        block = block.replace("quickstart.d/build", str(BUILD))
        if "--port 8080" in block:
            self.type(block.replace("8080", str(free_port())))
            return
        for command in self.substitute(block).splitlines():
            done = self.type(command)
            # Silent on success unless it was asked for something to read.
            if command.startswith(NO_OUTPUT):
                assert (done.stdout, done.stderr) == ("", ""), command

    def yaml(self, block):
        (self.folder / "harvest.yaml").write_text(self.substitute(block), encoding="utf-8")
        del self.environment["HARVEST_URL"]

    def crontab(self, block):
        for line in block.splitlines():
            done = self.type(line.split(None, 5)[5], "sh")
            assert (done.stdout, done.stderr) == ("", "")
        assert (self.folder / "corpus/dataset/manifest.json").exists()

    def python(self, block):
        pytest.importorskip("datasets")
        self.environment["HF_HUB_OFFLINE"] = "1"
        script = block + "assert len(rows) > 5 and rows[0]['messages'][-1]['role'] == 'assistant'\n"
        done = subprocess.run([sys.executable, "-c", script], cwd=self.folder, text=True,
                              env=self.environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


def test_commands(tmp_path, fake_teacher):
    reader = Reader(tmp_path, fake_teacher("--model", MODELS).url)
    blocks = sorted((start, kind, block) for kind in ("sh", "crontab", "yaml", "python")
                    for start, block in fences(kind))
    assert len(blocks) >= 10
    for _, kind, block in blocks:
        getattr(reader, {"sh": "shell"}.get(kind, kind))(block)


def test_files_that_are_named_exist():
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:doc|tests)/[\w./]+|[A-Z]+(?:\.md)?|\w+\.txt)`", text))
    assert named
    for name in named:
        assert (SOURCE / name).exists(), name


def test_exit_codes_are_those_of_the_program():
    """README, man page and base/err.h list the same."""
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    readme = {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.M)
              for number in row.split(",")}
    header = (SOURCE / "base/err.h").read_text(encoding="utf-8")
    assert readme == {int(number) for number in re.findall(r"ERR_\w+ = (\d+)", header)}


def test_example_configuration_is_accepted(harvest, fake_teacher, tmp_path):
    text = (SOURCE / "doc/examples/harvest.yaml").read_text(encoding="utf-8")
    teacher = fake_teacher("--model", "smollm2-135m-instruct")
    (tmp_path / "harvest.yaml").write_text(text.replace("http://127.0.0.1:8080", teacher.url))
    harvest("run", "--teacher", "local", SOURCE / "doc/examples/prompts.jsonl")
    refused = harvest("run", "--teacher", "hosted", SOURCE / "doc/examples/prompts.jsonl", status=4)
    assert ".config/harvest/hosted.key" in refused.stderr
