# SPDX-License-Identifier: MIT
"""A key reaches the origin it belongs to, and nothing else: no file, no stream, no process."""
import contextlib
import json

import pytest
from fake import wait_for

CANARY = "sk-canary-8f2c1e7d5b"


@pytest.fixture
def hosted(fake_teacher, tmp_path):
    """A teacher that wants the key, and a stanza that has it."""
    def start(*words, source="key_file: secret.key", script="", more=""):
        teacher = fake_teacher("--key", CANARY, *words, script=script)
        (tmp_path / "secret.key").write_text(CANARY + "\n")
        (tmp_path / "secret.key").chmod(0o600)
        (tmp_path / "harvest.yaml").write_text(
            f"teachers:\n  hosted:\n    url: {teacher.url}\n    {source}\n{more}")
        (tmp_path / "p.txt").write_text("".join(f"{i}\n" for i in range(30)))
        return teacher
    return start


def assert_clean(folder, *texts):
    for text in texts:
        assert CANARY not in text
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "secret.key":
            assert CANARY.encode() not in path.read_bytes(), path


def test_key_file(harvest, hosted, tmp_path):
    teacher = hosted(script="5 500\n9 reset\n11 429 retry-after=1")
    done = [harvest("run", "--verbose", "p.txt"), harvest("status", "--verbose"),
            harvest("export", "--logprobs", "--keep", "-o", "dataset", status=2),
            harvest("export", "-o", "dataset"), harvest("run", "--json", "p.txt")]
    authorizations = {headers.get("authorization") for headers, _ in teacher.requests()}
    assert authorizations == {f"Bearer {CANARY}"}
    for row in harvest.rows()[:3]:
        done.append(harvest("show", "--raw", row["key"]))
    for table, in harvest.query("SELECT name FROM sqlite_master WHERE type = 'table'"):
        assert CANARY not in repr(harvest.query(f"SELECT * FROM {table}"))
    assert_clean(tmp_path, *[part for one in done for part in (one.stdout, one.stderr)])


def test_key_from_the_environment(harvest, hosted, tmp_path):
    teacher = hosted(source="key_env: MY_KEY")
    done = harvest("run", "p.txt", MY_KEY=CANARY)
    assert teacher.counts()["billed"] == 30
    (tmp_path / "secret.key").unlink()
    assert_clean(tmp_path, done.stdout, done.stderr)
    missing = harvest("run", "--limit", 1, "--system", "x", "p.txt", status=4)
    assert "MY_KEY" in missing.stderr


def test_not_shown_to_other_processes(harvest, hosted, tmp_path):
    """Neither in the command line nor in the environment; without root that is not even read."""
    teacher = hosted("--delay", 300)
    process = harvest.start("run", "-c", 1, "p.txt")
    wait_for("a request", lambda: teacher.asked() > 0)
    for name in ("cmdline", "environ"):
        with contextlib.suppress(PermissionError), \
             open(f"/proc/{process.pid}/{name}", "rb") as file:
            assert CANARY.encode() not in file.read()


def test_wrong_key_is_not_shown_either(harvest, hosted, tmp_path):
    teacher = hosted()
    (tmp_path / "secret.key").write_text(CANARY + "x\n")
    refused = harvest("run", "--verbose", "p.txt", status=4)
    assert teacher.asked() == 0
    assert_clean(tmp_path, refused.stdout, refused.stderr)


def test_key_does_not_follow_a_redirect(harvest, hosted, fake_teacher, tmp_path):
    other = fake_teacher()
    hosted(script=f"* 307 location={other.url}/v1/chat/completions", more="    model: fake\n")
    refused = harvest("run", "p.txt", status=2)
    assert other.counts()["hits"] == 0
    assert_clean(tmp_path, refused.stdout, refused.stderr)


@pytest.mark.parametrize("how", ["option", "environment"])
def test_key_does_not_go_to_another_origin(harvest, hosted, fake_teacher, how):
    other = fake_teacher()
    hosted()
    words = ("--url", other.url) if how == "option" else ()
    more = {"HARVEST_URL": other.url} if how == "environment" else {}
    refused = harvest("run", *words, "p.txt", status=2, **more)
    assert "origin" in refused.stderr
    assert other.counts()["hits"] == 0


def test_key_that_others_can_read(harvest, hosted, tmp_path):
    teacher = hosted()
    (tmp_path / "secret.key").chmod(0o644)
    refused = harvest("run", "p.txt", status=4)
    assert "secret.key" in refused.stderr and "chmod 600" in refused.stderr
    assert teacher.counts()["hits"] == 0


def test_no_key_given(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher("--key", CANARY)
    (tmp_path / "p.txt").write_text("one\n")
    refused = harvest("run", "--url", teacher.url, "p.txt", status=4)
    assert "key_file" in refused.stderr
    error = json.loads(harvest("run", "--json", "--url", teacher.url, "p.txt",
                               status=4).stderr.splitlines()[-1])
    assert "credential" in json.dumps(error)


def test_a_teacher_that_quotes_the_key(harvest, hosted, tmp_path):
    """What a teacher says is kept and shown, but not the key in it."""
    hosted(script=f'3 400 message="no, not with {CANARY}"\n5 500 message="{CANARY}?"')
    done = [harvest("run", "--json", "--concurrency", 1, "p.txt", status=3),
            harvest("status"), harvest("status", "--json")]
    failed, = harvest.query("SELECT lower(hex(key)) FROM request WHERE id IN"
                            " (SELECT request FROM failed)")[0]
    done += [harvest("show", failed), harvest("show", "--raw", failed)]
    assert "no, not with *****" in done[-1].stdout
    for path in tmp_path.glob("harvest.db*"):
        assert CANARY.encode() not in path.read_bytes(), path
    assert_clean(tmp_path / "nowhere", *[part for one in done for part in (one.stdout, one.stderr)])
