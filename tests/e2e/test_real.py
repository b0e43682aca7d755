# SPDX-License-Identifier: MIT
"""The real program and a real teacher: llama.cpp's server with a small language model.

TEACHER_PYTHON names a Python with tests/teacher/requirements.txt (./quickstart --check makes
one). The same question is put to the same server twice, once by harvest and once as a plain
HTTP request; at temperature 0 every number of the two answers has to be the same, bit for bit.
"""
import concurrent.futures
import json
import os
import struct
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from conftest import SOURCE

PYTHON = os.environ.get("TEACHER_PYTHON", "")
MODEL = "smollm2-135m-instruct"
ASK = ("--model", MODEL, "--temperature", "0", "--max-tokens", "64", "--top-logprobs", "20",
       "--concurrency", "4")
pytestmark = pytest.mark.skipif(not os.access(PYTHON, os.X_OK),
                                reason="no real teacher: TEACHER_PYTHON is not set")
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    def __init__(self, folder, *options):
        self.log = folder / "server.log"
        address = folder / "address"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, SOURCE / "tests/teacher/llama_server.py", "--address-file", address,
                 *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        for _ in range(600):
            if address.exists() or self.process.poll() is not None:
                break
            time.sleep(0.1)
        assert address.exists(), self.log.read_text(errors="replace")[-2000:]
        self.url = address.read_text().strip()

    def ask(self, messages):
        """The answer as curl would get it."""
        body = {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 64,
                "logprobs": True, "top_logprobs": 20}
        request = urllib.request.Request(self.url + "/v1/chat/completions",
                                         json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with direct.open(request, timeout=120) as reply:
            return json.load(reply)["choices"][0]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    one.stop()


def rows(folder):
    for shard in sorted((folder / "data").glob("*.jsonl")):
        for line in shard.read_text(encoding="utf-8").removesuffix("\n").split("\n"):
            yield json.loads(line)


def bits(number):
    return struct.pack("<d", number)


def hex_bytes(entry):
    return bytes(entry["bytes"] or []).hex()


def assert_same(row, choice):
    """Everything the export says of the distributions against what the server said."""
    content = choice["logprobs"]["content"]
    assert row["messages"][-1]["content"] == choice["message"]["content"]
    assert row["finish_reason"] == choice["finish_reason"]
    assert row["token_ids"] == [entry["id"] for entry in content]
    assert row["token_bytes"] == [hex_bytes(entry) for entry in content]
    assert list(map(bits, row["token_logprobs"])) == [bits(entry["logprob"]) for entry in content]
    for ids, logprobs, entry in zip(row["top_token_ids"], row["top_logprobs"], content,
                                    strict=True):
        top = entry["top_logprobs"]
        assert len(top) == 20
        assert ids == [other["id"] for other in top]
        assert list(map(bits, logprobs)) == [bits(other["logprob"]) for other in top]


def test_examples_come_back_bit_for_bit(server, harvest, tmp_path):
    """What ./quickstart does, held against the server itself."""
    prompts = SOURCE / "doc/examples/prompts.txt"
    harvest("run", prompts, "--url", server.url, *ASK)
    harvest("export", "--logprobs", "-o", "dataset")
    exported = list(rows(tmp_path / "dataset"))
    assert len(exported) >= 64
    assert {row["messages"][0]["content"] for row in exported} <= set(
        prompts.read_text(encoding="utf-8").splitlines())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        choices = pool.map(lambda row: server.ask(row["messages"][:-1]), exported)
        for row, choice in zip(exported, choices, strict=True):
            assert row["logprobs_complete"]
            assert_same(row, choice)


def test_three_more_lines_ask_three_times(server, harvest, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("What is 2 plus 3?\nName one metal.\n")
    harvest("run", prompts, "--url", server.url, *ASK)
    prompts.write_text(prompts.read_text() + "What is 2 plus 4?\nWhat is 2 plus 5?\nSay yes.\n")
    attempts = []
    for _ in range(2):
        harvest("run", prompts, "--url", server.url, *ASK)
        attempts.append(json.loads(harvest("status", "--json").stdout)["attempts"])
    assert attempts == [5, 5]


def test_a_character_of_several_tokens_is_flagged(server, harvest, tmp_path):
    """llama.cpp leaves out the distributions inside of such a character."""
    words = "Write two sentences about rain in Zürich, with an emoji."
    (tmp_path / "p.jsonl").write_text(
        json.dumps({"id": "emoji", "prompt": words}) + "\n" +
        json.dumps({"id": "thumb", "prompt": "Repeat exactly: 👌👌👌👌"}) + "\n")
    harvest("run", "p.jsonl", "--url", server.url, *ASK)
    harvest("export", "--logprobs", "--keep", "-o", "dataset")
    found = {row["prompt_id"]: row for row in rows(tmp_path / "dataset")}
    short = 0
    for row in found.values():
        choice = server.ask(row["messages"][:-1])
        assert_same(row, choice)
        # A character of several tokens is one whose entry has more bytes than its alternative
        # of the same id.
        split = any(other["id"] == entry["id"] and other["bytes"] != entry["bytes"]
                    for entry in choice["logprobs"]["content"] for other in entry["top_logprobs"])
        assert row["logprobs_complete"] != split
        short += split
    assert short > 0, "the model writes no such character any more; choose other prompts"


def test_a_key_is_needed_and_stays_secret(harvest, tmp_path):
    key = "sk-test-7d1f0c2a9e"
    server = Server(tmp_path, "--api-key", key)
    try:
        (tmp_path / "p.txt").write_text("Name one metal.\n")
        refused = harvest("run", "p.txt", "--url", server.url, *ASK, status=4)
        assert "error" in refused.stderr and "401" in refused.stderr
        with pytest.raises(urllib.error.HTTPError):
            server.ask([{"role": "user", "content": "Name one metal."}])
        (tmp_path / "key").write_text(key + "\n")
        (tmp_path / "key").chmod(0o600)
        (tmp_path / "harvest.yaml").write_text(
            f"teachers:\n  local:\n    url: {server.url}\n    key_file: key\n")
        said = harvest("run", "p.txt", "--verbose", *ASK)
        said2 = harvest("export", "--keep", "-o", "dataset")
        assert len(list(rows(tmp_path / "dataset"))) == 1
        assert key not in said.stdout + said.stderr + said2.stdout + said2.stderr
        for file in tmp_path.rglob("*"):
            if file.is_file() and file.name not in ("key", "server.log"):
                assert key.encode() not in file.read_bytes(), file
    finally:
        server.stop()
