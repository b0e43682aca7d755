# SPDX-License-Identifier: MIT
"""Looking at what there is, and asking again: status, show, retry."""
import json

import pytest


def user(text):
    return [{"role": "user", "content": text}]


@pytest.fixture
def mixed(harvest, fake_teacher, tmp_path):
    """Five prompts: answered, truncated, rejected, ambiguous, answered."""
    teacher = fake_teacher(script="3 400 message=\"not about this\"\n4 reset")
    rows = [{"id": "plain", "prompt": "one"},
            {"id": "short", "prompt": "two", "params": {"max_tokens": 3}},
            {"id": "bad", "prompt": "three"}, {"id": "lost", "prompt": "four"},
            {"id": "last", "prompt": "five"}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    teacher.run = ("run", "--url", teacher.url, "--on-ambiguous", "hold", "-c", 1,
                   "--top-logprobs", 2, "p.jsonl")
    harvest(*teacher.run, status=3)
    return teacher


def test_status(harvest, mixed):
    counts = harvest.json("status")
    assert {name: counts[name] for name in ("prompts", "requests", "answered", "failed",
                                            "ambiguous", "truncated")} == \
        {"prompts": 5, "requests": 5, "answered": 3, "failed": 1, "ambiguous": 1,
         "truncated": 1}
    assert counts["completion_tokens"] > 3 and counts["prompt_tokens"] > 0
    text = harvest("status").stdout
    assert "not about this" in text
    for word in ("answered", "failed", "ambiguous", "truncated"):
        assert word in text


def test_show_by_id_and_key(harvest, mixed):
    by_id = harvest("show", "plain").stdout
    key, = harvest.query("SELECT key FROM requests WHERE prompt_id = 'plain'")[0]
    assert harvest("show", key).stdout == by_id
    assert harvest("show", key[:12]).stdout == by_id
    assert key in by_id and "one" in by_id
    answer = json.loads(harvest("show", "--raw", "plain").stdout)["choices"][0]
    entry = answer["logprobs"]["content"][0]
    assert f" {entry['logprob']:.4f} " in by_id


def test_show_failed_and_ambiguous(harvest, mixed):
    assert "not about this" in harvest("show", "bad").stdout
    assert "400" in harvest("show", "bad").stdout
    assert "ambiguous" in harvest("show", "lost").stdout
    assert json.loads(harvest("show", "--raw", "bad").stdout)["error"]["message"] == \
        "not about this"


def test_show_unknown(harvest, mixed):
    assert "nothing" in harvest("show", "nothing", status=2).stderr


def test_foreign_text_does_not_reach_the_terminal(harvest, ask):
    """Answers hold escape sequences; whoever looks at them must not have them carried out."""
    ask(prompts="".join(f"{i}\n" for i in range(30)))
    harvest("export", "-o", "dataset")
    texts = 0
    for row in harvest.rows():
        texts += "\x1b" in row["messages"][-1]["content"]
        shown = harvest("show", row["key"]).stdout
        assert "\x1b" not in shown and "\x01" not in shown and "\x7f" not in shown
    assert texts > 0


def test_retry_failed(harvest, mixed):
    assert harvest.json("retry", "--failed")["failed"] == 1
    harvest(*mixed.run, status=3)
    assert mixed.asked() == 6
    counts = harvest.json("status")
    assert (counts["failed"], counts["ambiguous"], counts["answered"]) == (0, 1, 4)


def test_retry_ambiguous(harvest, mixed):
    assert harvest.json("retry", "--ambiguous")["ambiguous"] == 1
    harvest(*mixed.run, status=3)
    counts = harvest.json("status")
    assert (counts["failed"], counts["ambiguous"], counts["answered"]) == (1, 0, 4)


def test_retry_truncated_keeps_the_old_answer(harvest, mixed):
    assert harvest.json("retry", "--truncated")["truncated"] == 1
    before = mixed.asked()
    harvest(*mixed.run, status=3)
    assert mixed.asked() == before + 1
    assert harvest.query("SELECT edition, finish_reason FROM answers WHERE prompt_id = 'short' "
                         "ORDER BY edition") == [(0, "length"), (1, "length")]
    harvest(*mixed.run, status=3)
    assert mixed.asked() == before + 1


def test_retry_needs_to_know_what(harvest, mixed):
    assert "--failed" in harvest("retry", status=2).stderr


def test_export_leaves_truncated_out(harvest, mixed):
    harvest("export", "-o", "dataset")
    assert sorted(row["prompt_id"] for row in harvest.rows()) == ["last", "plain"]
    harvest("export", "--keep", "-o", "all")
    assert sorted(row["prompt_id"] for row in harvest.rows("all")) == ["last", "plain", "short"]


def test_export_of_some_prompts(harvest, mixed, tmp_path):
    (tmp_path / "some.jsonl").write_text('{"prompt": "five"}\n{"prompt": "never asked"}\n')
    harvest("export", "--prompts", "some.jsonl", "-o", "dataset")
    assert [row["prompt_id"] for row in harvest.rows()] == ["last"]


def test_raw_reply_is_the_teachers(harvest, mixed):
    """Log-probabilities are packed in the store; what comes out equals the reply."""
    reply = json.loads(harvest("show", "--raw", "last").stdout)
    choice = reply["choices"][0]
    assert choice["message"]["role"] == "assistant"
    assert "".join(entry["token"] for entry in choice["logprobs"]["content"]) == \
        choice["message"]["content"]
    assert len(choice["logprobs"]["content"]) == reply["usage"]["completion_tokens"]
    assert all(len(entry["top_logprobs"]) == 2 for entry in choice["logprobs"]["content"])
