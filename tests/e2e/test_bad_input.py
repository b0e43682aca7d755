# SPDX-License-Identifier: MIT
"""Bad prompts, files and settings: told with their place, before anything is spent."""
import json
import os
import shutil
import sqlite3

import pytest

# name: (bytes of p.txt or p.jsonl, file, what the place is, a word of the message)
BAD_PROMPTS = {
    "invalid UTF-8": (b"good\nba\xffd\n", "p.txt", "p.txt:2:3", "UTF-8"),
    "cut UTF-8": (b"good\nb\xc3\n", "p.txt", "p.txt:2:2", "UTF-8"),
    "surrogate": (b"\xed\xa0\x80\n", "p.txt", "p.txt:1:1", "UTF-8"),
    "NUL": (b"good\nfine\nx\0y\n", "p.txt", "p.txt:3:2", "NUL"),
    "broken JSONL": (b'{"prompt": "a"}\n{"prompt": "b"\n', "p.jsonl", "p.jsonl:2", ""),
    "two documents": (b'{"prompt": "a"} {"prompt": "b"}\n', "p.jsonl", "p.jsonl:1", ""),
    "no object": (b'{"prompt": "a"}\n["b"]\n', "p.jsonl", "p.jsonl:2", ""),
    "neither": (b'{"id": "a"}\n', "p.jsonl", "p.jsonl:1", "prompt"),
    "both": (b'{"prompt": "a", "messages": []}\n', "p.jsonl", "p.jsonl:1", "messages"),
    "unknown member": (b'{"promt": "a"}\n', "p.jsonl", "p.jsonl:1", "'prompt'"),
    "prompt of wrong type": (b'{"prompt": 5}\n', "p.jsonl", "p.jsonl:1", "prompt"),
    "params of wrong type": (b'{"prompt": "a", "params": []}\n', "p.jsonl", "p.jsonl:1",
                             "params"),
    "no messages": (b'{"messages": []}\n', "p.jsonl", "p.jsonl:1", "messages"),
    "lone surrogate": (b'{"prompt": "\\ud83d"}\n', "p.jsonl", "p.jsonl:1", ""),
}


@pytest.fixture
def spared(fake_teacher):
    """A teacher that must not be asked anything."""
    teacher = fake_teacher()
    yield teacher
    assert teacher.asked() == 0


@pytest.mark.parametrize("name", BAD_PROMPTS)
def test_bad_prompts(harvest, spared, tmp_path, name):
    data, file, place, word = BAD_PROMPTS[name]
    (tmp_path / file).write_bytes(data)
    refused = harvest("run", "--url", spared.url, file, status=2)
    first = refused.stderr.splitlines()
    assert first[0].startswith("harvest: error: ")
    assert f"where: {place}" in refused.stderr
    assert word in refused.stderr


@pytest.mark.parametrize("name", BAD_PROMPTS)
def test_bad_prompts_on_standard_input(harvest, spared, name):
    data, file, place, _ = BAD_PROMPTS[name]
    form = "jsonl" if file.endswith("l") else "text"
    refused = harvest("run", "--url", spared.url, "--input", form, "-", stdin=data, status=2)
    assert place.split(":", 1)[1] in refused.stderr


def test_invalid_lines_can_be_left_out(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher()
    (tmp_path / "p.txt").write_bytes(b"one\nb\xffd\nthree\n")
    counts = harvest.json("run", "--invalid", "skip", "--url", teacher.url, "p.txt")
    assert (counts["prompts"], counts["invalid"], counts["answered"]) == (2, 1, 2)


def test_last_line_may_be_the_bad_one(harvest, spared, tmp_path):
    """The whole set is read before the first request."""
    (tmp_path / "p.txt").write_bytes(b"fine\n" * 5000 + b"\xff\n")
    refused = harvest("run", "--url", spared.url, "p.txt", status=2)
    assert "p.txt:5001:1" in refused.stderr


def test_huge_line(harvest, spared, tmp_path):
    with open(tmp_path / "p.txt", "wb") as file:
        file.write(b"one\n")
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\n")
    refused = harvest("run", "--url", spared.url, "p.txt", status=2)
    assert "p.txt:2" in refused.stderr and len(refused.stderr) < 2000


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n\n", b"\xef\xbb\xbf"])
def test_empty_set(harvest, spared, tmp_path, content):
    (tmp_path / "p.txt").write_bytes(content)
    assert "p.txt" in harvest("run", "--url", spared.url, "p.txt", status=2).stderr
    harvest("run", "--url", spared.url, "-", stdin=content, status=2)


def test_missing_file_and_directory(harvest, spared, tmp_path):
    (tmp_path / "good.txt").write_text("one\n")
    (tmp_path / "folder").mkdir()
    for name, word in (("gone.txt", "No such file"), ("folder", "directory")):
        refused = harvest("run", "--url", spared.url, "good.txt", name, status=2)
        assert name in refused.stderr and word in refused.stderr and "fix:" in refused.stderr


def test_unreadable_file(harvest, spared, tmp_path, ordinary):
    (tmp_path / "p.txt").write_text("one\n")
    (tmp_path / "p.txt").chmod(0)
    refused = harvest("run", "--url", spared.url, "p.txt", status=2, prefix=ordinary)
    assert "Permission denied" in refused.stderr


def test_no_prompts_named(harvest, spared):
    assert "PROMPTS" in harvest("run", "--url", spared.url, status=2).stderr


# ---- settings -----------------------------------------------------------------------------------


BAD_YAML = {
    "unknown key": ("store: x.db\nconcurency: 4\n", "harvest.yaml:2", "'concurrency'"),
    "unknown key of a teacher": ("teachers:\n  a:\n    url: U\n    top_logprob: 3\n",
                                 "harvest.yaml:4", "'top_logprobs'"),
    "wrong type": ("concurrency: many\n", "harvest.yaml:1", "whole number"),
    "out of range": ("concurrency: 0\n", "harvest.yaml:1", "1"),
    "5x": ("\n\nconcurrency: 5x\n", "harvest.yaml:3", "5x"),
    "twice": ("store: a\nstore: b\n", "harvest.yaml:2", "twice"),
    "no YAML": ("teachers: [\n", "harvest.yaml:", "YAML"),
    "not a mapping": ("- a\n", "harvest.yaml:1", "mapping"),
    "key in clear": ("teachers:\n  a:\n    url: U\n    key: sk-123\n", "harvest.yaml:4", "key"),
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_bad_yaml(harvest, spared, tmp_path, name):
    text, place, word = BAD_YAML[name]
    (tmp_path / "harvest.yaml").write_text(text.replace("U", spared.url))
    (tmp_path / "p.txt").write_text("one\n")
    refused = harvest("run", "p.txt", status=2)
    assert f"where: {place}" in refused.stderr and word in refused.stderr
    assert "sk-123" not in refused.stderr


@pytest.mark.parametrize("words, word", [
    (("run", "--temprature", "1", "p.txt"), "--temperature"),
    (("run", "--concurrency", "0", "p.txt"), "--concurrency"),
    (("run", "--concurrency", "four", "p.txt"), "four"),
    (("run", "--timeout", "soon", "p.txt"), "soon"),
    (("run", "--on-ambiguous", "drop", "p.txt"), "retry"),
    (("run", "--temperature", "p.txt"), "--temperature"),
    (("run", "--teacher", "nobody", "p.txt"), "nobody"),
    (("rum", "p.txt"), "run"),
    (("run", "--url", "ftp://x", "p.txt"), "ftp://x"),
    (("run", "--url", "nonsense url", "p.txt"), "nonsense url"),
    ((), "command"),
])
def test_bad_command_lines(harvest, tmp_path, words, word):
    (tmp_path / "p.txt").write_text("one\n")
    refused = harvest(*words, status=2)
    assert word in refused.stderr and refused.stderr.startswith("harvest: error: ")


def test_bad_environment(harvest, spared, tmp_path):
    (tmp_path / "p.txt").write_text("one\n")
    refused = harvest("run", "--url", spared.url, "p.txt", status=2, HARVEST_CONCURRENCY="x")
    assert "HARVEST_CONCURRENCY" in refused.stderr


# ---- stores -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("status",), ("show", "x"), ("export", "-o", "d"),
                                   ("retry", "--failed")])
def test_no_store(harvest, tmp_path, words):
    refused = harvest(*words, "--store", "none.db", status=10)
    assert "none.db" in refused.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"#!/bin/sh\necho mine\n" * 100, b"x", "sqlite"])
def test_foreign_file_as_store(harvest, spared, tmp_path, content):
    path = tmp_path / "mine.db"
    if content == "sqlite":
        base = sqlite3.connect(path)
        base.execute("CREATE TABLE diary(day TEXT)")
        base.commit()
        base.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    (tmp_path / "p.txt").write_text("one\n")
    refused = harvest("run", "--model", "fake", "--url", spared.url, "--store", "mine.db", "p.txt",
                      status=9)
    assert "mine.db" in refused.stderr
    assert path.read_bytes() == before
    harvest("status", "--store", "mine.db", status=9)
    assert path.read_bytes() == before


def test_damaged_store(harvest, ask, tmp_path):
    ask(prompts="".join(f"{i}\n" for i in range(300)))
    path = tmp_path / "harvest.db"
    data = bytearray(path.read_bytes())
    data[:100] = os.urandom(100)
    path.write_bytes(data)
    for words in (("status",), ("export", "-o", "d")):
        harvest(*words, status=9)


def test_newer_store(harvest, ask, tmp_path):
    teacher = ask()
    base = sqlite3.connect(tmp_path / "harvest.db")
    base.execute("PRAGMA user_version = 1000")
    base.commit()
    base.close()
    refused = harvest("run", "--model", "fake", "--url", teacher.url, "prompts.txt", status=12)
    assert "newer" in refused.stderr
    harvest("status", status=12)


def test_read_only_directory(harvest, spared, tmp_path, ordinary):
    (tmp_path / "p.txt").write_text("one\n")
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    refused = harvest("run", "--url", spared.url, "--model", "fake", "--store", "locked/h.db",
                      "p.txt", status=8, prefix=ordinary)
    assert "locked/h.db" in refused.stderr and "Permission denied" in refused.stderr
    assert "fix:" in refused.stderr


# ---- datasets -----------------------------------------------------------------------------------


def test_foreign_directory_is_refused(harvest, ask, tmp_path):
    ask()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("ten years of work")
    refused = harvest("export", "-o", "mine", status=2)
    assert "mine" in refused.stderr
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]
    (tmp_path / "file").write_text("x")
    harvest("export", "-o", "file", status=2)
    assert (tmp_path / "file").read_text() == "x"


def test_own_dataset_is_exchanged_whole(harvest, ask, tmp_path):
    teacher = ask()
    harvest("export", "-o", "dataset")
    old = json.loads((tmp_path / "dataset/manifest.json").read_text())
    inode = (tmp_path / "dataset").stat().st_ino
    (tmp_path / "prompts.txt").write_text("one\ntwo\nthree\nfour\n")
    harvest("run", "--url", teacher.url, "prompts.txt")
    harvest("export", "-o", "dataset")
    new = json.loads((tmp_path / "dataset/manifest.json").read_text())
    assert (old["rows"], new["rows"]) == (3, 4)
    assert (tmp_path / "dataset").stat().st_ino != inode
    assert not [name for name in os.listdir(tmp_path) if "harvest-tmp" in name]
    shutil.rmtree(tmp_path / "dataset")


def test_export_of_nothing_keeps_the_old_dataset(harvest, ask, tmp_path):
    ask()
    harvest("export", "-o", "dataset")
    (tmp_path / "other.txt").write_text("never asked\n")
    harvest("export", "--prompts", "other.txt", "-o", "dataset", status=2)
    assert json.loads((tmp_path / "dataset/manifest.json").read_text())["rows"] == 3
