# SPDX-License-Identifier: MIT
"""What teachers and networks do to a run, and that it costs what it must and no more."""
import datetime
import email.utils
import json
import socket
import time

import pytest
from fake import wait_for

ONE = "one\n"
CUTS = ("reset after=100", "reset", "close", "cut 120", "cut 0")


def outcomes(harvest):
    return [row[0] for row in harvest.query("SELECT outcome FROM attempts ORDER BY id")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- told to wait -----------------------------------------------------------------------------


def test_retry_after_is_obeyed(harvest, ask):
    """One 429 keeps back everything for the teacher, for the whole time it asked for."""
    teacher = ask("-c", 2, script="3 429 retry-after=2", prompts="1\n2\n3\n4\n5\n6\n")
    book = teacher.book()
    told = next(line["at"] for line in book if line["status"] == 429)
    later = [line["at"] - told for line in book if line["n"] > 4]
    assert later and min(later) >= 2.0
    assert max(later) < 4.0
    assert teacher.counts()["billed"] == 6
    assert outcomes(harvest).count("later") == 1


def test_retry_after_as_a_date(ask):
    """By the teacher's clock, which need not be ours: from its Date to its Retry-After."""
    now = datetime.datetime(2031, 5, 17, 23, 59, 58, tzinfo=datetime.timezone.utc)
    date, when = (email.utils.format_datetime(now + datetime.timedelta(seconds=wait), usegmt=True)
                  for wait in (0, 3))
    teacher = ask(script=f'1 429 retry-after="{when}" header="Date: {date}"', prompts=ONE)
    first, second = (line["at"] for line in teacher.book())
    assert 3.0 <= second - first < 6.0


def test_429_without_a_time(ask):
    teacher = ask("-c", 4, script="2-5 429", prompts="".join(f"{i}\n" for i in range(10)))
    assert teacher.counts()["billed"] == 10


def test_teachers_own_limit_is_kept_to(ask):
    teacher = ask("-c", 8, teacher=("--rps", 10), prompts="".join(f"{i}\n" for i in range(25)))
    counts = teacher.counts()
    assert (counts["billed"], counts["distinct"]) == (25, 25)
    assert counts["refused"] <= 3 * 8


def test_too_long_a_wait_ends_the_run(harvest, ask):
    teacher = ask("--max-wait", "5s", script="1 429 retry-after=3600", prompts=ONE, status=6)
    assert "--max-wait" in teacher.done.stderr
    harvest("run", "--url", teacher.url, "prompts.txt")
    assert teacher.counts()["billed"] == 1


# ---- faults that may pass ----------------------------------------------------------------------


def test_server_errors_are_retried(harvest, ask):
    teacher = ask(script="1 500\n2 503 message=\"overloaded\"", prompts=ONE)
    assert [line["status"] for line in teacher.book()] == [500, 503, 200]
    assert outcomes(harvest)[0] == "retry" and outcomes(harvest)[-1] == "answered"


def test_server_errors_do_not_last_for_ever(harvest, ask):
    teacher = ask("--attempts", 2, script="1-2 500 message=\"engine died\"", prompts=ONE,
                  status=3)
    assert teacher.asked() == 2
    again = harvest.json("run", "--url", teacher.url, "prompts.txt", status=3)
    assert (again["already_failed"], again["asked"]) == (1, 0)
    status = harvest("status").stdout
    assert "engine died" in status and "server" in status
    harvest("retry", "--failed")
    harvest("run", "--url", teacher.url, "prompts.txt")
    assert teacher.asked() == 3


@pytest.mark.parametrize("script", ["1 400", "1 422", "1 413"])
def test_rejected_requests_are_not_repeated(harvest, ask, script):
    teacher = ask(script=script + " message=\"no such thing\"", status=3)
    assert teacher.asked() == 3
    assert harvest.query("SELECT status, outcome FROM attempts WHERE status <> 200") == \
        [(int(script.split()[1]), "failed")]


def test_nobody_there(harvest, tmp_path):
    (tmp_path / "p.txt").write_text(ONE)
    for model in ((), ("--model", "x")):
        began = time.monotonic()
        refused = harvest("run", "--url", f"http://127.0.0.1:{free_port()}", *model,
                          "p.txt", status=7)
        assert "does not answer" in refused.stderr and "fix:" in refused.stderr
        assert time.monotonic() - began < 20


def test_teacher_that_goes_away(harvest, fake_teacher, tmp_path):
    """Refused connections cost no attempt; after --max-wait the run ends, nothing lost."""
    teacher = fake_teacher("--delay", 20)
    (tmp_path / "p.txt").write_text("".join(f"{i}\n" for i in range(200)))
    run = harvest.start("run", "--url", teacher.url, "-c", 4, "--max-wait", "2s", "p.txt")
    wait_for("some answers", lambda: teacher.asked() >= 20)
    teacher.stop()
    assert run.wait(30) == 7
    counts = harvest.json("status")
    assert counts["answered"] >= 16 and counts["failed"] == 0


def test_teacher_that_comes_back(harvest, fake_teacher, tmp_path):
    first = fake_teacher("--delay", 20)
    (tmp_path / "p.txt").write_text("".join(f"{i}\n" for i in range(60)))
    run = harvest.start("run", "--url", first.url, "-c", 4, "p.txt")
    wait_for("some answers", lambda: first.asked() >= 20)
    first.stop()
    time.sleep(0.3)
    second = fake_teacher("--port", first.port)
    assert run.wait(30) == 0
    assert harvest.json("status")["answered"] == 60
    twice = len(first.billed()) + len(second.billed()) - 60
    assert 0 <= twice <= 4, "only what was on its way may be asked again"


def test_connections_that_are_closed_each_time(ask):
    teacher = ask("-c", 3, script="* 200 closing", prompts="".join(f"{i}\n" for i in range(30)))
    assert teacher.counts()["billed"] == 30


# ---- outcome unknown ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", CUTS)
def test_hold_never_sends_again(harvest, ask, step):
    hold = ("--on-ambiguous", "hold")
    teacher = ask(*hold, script=f"1 {step}", prompts=ONE, status=3)
    assert "ambiguous" in teacher.done.stderr
    held = harvest.json("run", *hold, "--url", teacher.url, "prompts.txt", status=3)
    assert (held["held"], held["asked"]) == (1, 0)
    assert teacher.asked() == 1
    harvest("retry", "--ambiguous")
    harvest("run", *hold, "--url", teacher.url, "prompts.txt")
    assert teacher.asked() == 2
    assert outcomes(harvest) == ["ambiguous", "answered"]


@pytest.mark.parametrize("step", CUTS)
def test_retry_sends_once_more(harvest, ask, step):
    teacher = ask(script=f"1 {step}", prompts=ONE)
    assert teacher.asked() == 2
    assert outcomes(harvest) == ["ambiguous", "answered"]


def test_retry_sends_once_more_in_each_run(harvest, ask):
    teacher = ask(script="1-4 reset", prompts=ONE, status=3)
    assert teacher.asked() == 2
    harvest("run", "--url", teacher.url, "prompts.txt", status=3)
    assert teacher.asked() == 3
    harvest("run", "--url", teacher.url, "prompts.txt", status=3)
    assert teacher.asked() == 4
    harvest("run", "--url", teacher.url, "prompts.txt")
    assert teacher.asked() == 5


def test_time_is_up(harvest, ask):
    began = time.monotonic()
    teacher = ask("--timeout", "700ms", "--on-ambiguous", "hold", script="1 hang after=300",
                  prompts=ONE, status=3)
    assert 0.7 <= time.monotonic() - began < 10
    assert teacher.asked() == 1
    assert harvest.query("SELECT outcome, reason FROM attempts") == [("ambiguous", "timeout")]


def test_slow_drip_is_an_answer(ask):
    ask(script="* drip 40 every=5ms")


# ---- hostile replies ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(harvest, fake_teacher, tmp_path, status):
    other = fake_teacher()
    teacher = fake_teacher(script=f"* {status} location={other.url}/v1/chat/completions")
    (tmp_path / "p.txt").write_text(ONE)
    refused = harvest("run", "--url", teacher.url, "p.txt", status=2)
    assert "redirect" in refused.stderr
    assert teacher.asked() == 1
    assert other.counts()["hits"] == 0


def failed_reasons(harvest):
    return harvest.query("SELECT outcome, reason, body_bytes FROM attempts")


def test_endless_body_is_stopped(harvest, ask):
    teacher = ask("--max-reply", "1M", script="1 bomb 4G", prompts=ONE, status=3)
    (outcome, reason, size), = failed_reasons(harvest)
    assert (outcome, reason) == ("failed", "too_large") and size <= 1 << 20
    assert teacher.asked() == 1


def test_compressed_bomb_is_stopped(harvest, fake_teacher, alone, tmp_path):
    """Compression is spoken with other machines only: the teacher is reached by an address
    that is no loopback's."""
    if not alone.real:
        teacher = fake_teacher("--host", "0.0.0.0", script="1 bomb 20G gzip")
        address = socket.gethostbyname(socket.gethostname())
    else:
        teacher = fake_teacher("--host", "0.0.0.0", script="1 bomb 20G gzip",
                               prefix=alone.prefix)
        address = alone.address
    (tmp_path / "p.txt").write_text(ONE)
    harvest("run", "--url", f"http://{address}:{teacher.port}", "--max-reply", "1M", "p.txt",
            status=3, prefix=alone.prefix)
    (outcome, reason, size), = failed_reasons(harvest)
    assert (outcome, reason) == ("failed", "too_large") and size <= 1 << 20
    assert (tmp_path / "harvest.db").stat().st_size < 4 << 20


BODIES = {
    "no json": (b"<html><title>502</title></html>", 3),
    "blank": (b" \n \n", 3),
    "null": (b"null", 3),
    "array": (b"[]", 3),
    "no choices": (b'{"id": "x", "choices": []}', 3),
    "error in 200": (b'{"error": {"message": "quota"}}', 3),
    "deep": (b"[" * 100000, 3),
    "bom": (b'\xef\xbb\xbf{"choices": [{"index": 0, "message": {"role": "assistant", '
            b'"content": "yes"}, "finish_reason": "stop"}]}', 0),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(harvest, fake_teacher, tmp_path, name):
    body, status = BODIES[name]
    (tmp_path / "body").write_bytes(body)
    teacher = fake_teacher("--body", tmp_path / "body")
    (tmp_path / "p.txt").write_text(ONE)
    harvest("run", "--url", teacher.url, "--attempts", 2, "p.txt", status=status)
    counts = harvest.json("status")
    assert (counts["answered"], counts["failed"]) == ((1, 0) if status == 0 else (0, 1))
    assert teacher.asked() <= 2


# ---- models and credentials ------------------------------------------------------------------------


def test_unknown_model_is_refused_before_asking(ask):
    teacher = ask("--model", "fak", prompts=ONE, status=2)
    assert "'fake'" in teacher.done.stderr and "fix:" in teacher.done.stderr
    assert teacher.asked() == 0


def test_one_of_several_models_has_to_be_named(harvest, ask):
    teacher = ask(prompts=ONE, status=2, teacher=("--model", "a", "--model", "b"))
    assert "'a', 'b'" in teacher.done.stderr and "--model" in teacher.done.stderr
    harvest("run", "--url", teacher.url, "--model", "b", "prompts.txt")
    assert teacher.bodies()[0]["model"] == "b"


def test_model_that_only_chat_refuses(harvest, ask):
    teacher = ask("--model", "x", status=2, teacher=("--no-models", "--strict-model"))
    assert "'x'" in teacher.done.stderr
    assert harvest.json("status")["failed"] == 0, "a wrong name is no fault of the prompts"


def test_credential_refused(harvest, fake_teacher, tmp_path):
    """Form and code of the error, and that nothing is sent after it."""
    teacher = fake_teacher("--key", "right", "--no-models", "--delay", 20)
    (tmp_path / "key").write_text("wrong\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "harvest.yaml").write_text(
        f"teachers:\n  hosted:\n    url: {teacher.url}\n    model: m\n    key_file: key\n")
    (tmp_path / "p.txt").write_text("".join(f"{i}\n" for i in range(50)))
    refused = harvest("run", "-c", 2, "p.txt", status=4)
    lines = refused.stderr.splitlines()
    assert lines[0] == "harvest: error: teacher 'hosted' refused the credential (HTTP 401)"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["where", "why", "safe", "fix"]
    assert "harvest.yaml:5, teachers.hosted.key_file" in lines[1]
    assert "Incorrect API key provided" in lines[2]
    assert teacher.asked() <= 4
    (tmp_path / "key").write_text("right\n")
    harvest("run", "p.txt")
    assert teacher.counts()["billed"] == 50


def test_errors_as_json(harvest, tmp_path):
    (tmp_path / "p.txt").write_text(ONE)
    refused = harvest("run", "--json", "--url", f"http://127.0.0.1:{free_port()}", "p.txt",
                      status=7)
    error = json.loads(refused.stderr.splitlines()[-1])
    assert error["code"] == 7 or 7 in error.values()
    assert refused.stdout == ""
