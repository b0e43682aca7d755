# SPDX-License-Identifier: MIT
"""Without an address: a server on one of the usual ports of this machine, or a plain word."""
import socket

import pytest

PORTS = {8080: "llama.cpp", 8000: "vLLM", 11434: "Ollama", 30000: "SGLang", 1234: "LM Studio"}


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def prompts(tmp_path):
    (tmp_path / "p.txt").write_text("one\n")
    return "p.txt"


@pytest.fixture
def quiet(alone):
    """A prefix for commands that shall find nothing but what the test starts: a network of
    their own, or else this machine's, if nobody listens on the usual ports."""
    if not alone.real and any(listening(port) for port in PORTS):
        pytest.skip("no network of one's own, and the usual ports are in use")
    return alone.prefix


@pytest.mark.parametrize("port", PORTS)
def test_found(harvest, fake_teacher, quiet, prompts, port):
    teacher = fake_teacher("--port", port, "--model", "mine", prefix=quiet)
    found = harvest("run", "--verbose", prompts, prefix=quiet)
    assert f"http://127.0.0.1:{port}" in found.stderr and PORTS[port] in found.stderr
    assert "mine" in found.stderr
    assert teacher.asked() == 1
    assert harvest.query("SELECT model FROM teachers") == [("mine",)]


def test_first_of_several(harvest, fake_teacher, quiet, prompts):
    later = fake_teacher("--port", 8000, prefix=quiet)
    first = fake_teacher("--port", 8080, prefix=quiet)
    harvest("run", prompts, prefix=quiet)
    assert (first.asked(), later.asked()) == (1, 0)


def test_something_else_on_the_port(harvest, fake_teacher, quiet, prompts):
    """A web server on 8080 that knows no models is passed over."""
    web = fake_teacher("--port", 8080, "--no-models", prefix=quiet)
    teacher = fake_teacher("--port", 11434, prefix=quiet)
    harvest("run", prompts, prefix=quiet)
    assert (web.asked(), teacher.asked()) == (0, 1)


def test_none_found(harvest, quiet, prompts):
    refused = harvest("run", prompts, status=7, prefix=quiet)
    for port, name in PORTS.items():
        assert f"{name} on port {port}" in refused.stderr
    assert "llama-server" in refused.stderr and "--url" in refused.stderr
