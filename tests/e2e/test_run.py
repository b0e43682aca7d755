# SPDX-License-Identifier: MIT
"""The main job: prompts in, answers kept, a dataset out; and the same command again."""
import contextlib
import hashlib
import json
import os
import pty
import subprocess

import pytest
from conftest import HARVEST, clean_environment

THREE = "one\ntwo\nthree\n"


def write(folder, name, *rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")


def user(text):
    return [{"role": "user", "content": text}]


def test_text_from_prompts_to_dataset(harvest, ask):
    teacher = ask(prompts="Why is the sky blue?\n\nWas ist „Größe“? 雨 \"x\" \\ \t.\n")
    assert (teacher.done.stdout, teacher.done.stderr) == ("", "")
    assert teacher.asked() == 2
    harvest("export", "--format", "jsonl", "-o", "dataset")
    rows = harvest.rows()
    assert {row["messages"][0]["content"] for row in rows} == \
        {"Why is the sky blue?", "Was ist „Größe“? 雨 \"x\" \\ \t."}
    for row in rows:
        assert sorted(row) == ["finish_reason", "key", "messages", "metadata", "prompt_id",
                               "sample", "teacher"]
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert (row["finish_reason"], row["sample"], row["teacher"]) == ("stop", 0, "fake")
    assert [row["key"] for row in rows] == sorted(row["key"] for row in rows)


def test_answers_are_the_teachers(harvest, ask):
    """What is exported is byte for byte what the teacher said, control characters and all."""
    teacher = ask(prompts="".join(f"question {i}\n" for i in range(40)),
                  teacher=("--size", 3000))
    harvest("export", "-o", "dataset")
    rows = {row["messages"][0]["content"]: row["messages"][-1]["content"]
            for row in harvest.rows()}
    assert len(rows) == 40 and teacher.asked() == 40
    for text, answer in rows.items():
        reply = json.loads(harvest("show", "--raw", key_of(harvest, text)).stdout)
        assert reply["choices"][0]["message"]["content"] == answer
    everything = "".join(rows.values())
    for odd in ("\x1b", "\x01", "\u2028", "👌", "ü", "\\", '"', "\n", "\t"):
        assert odd in everything


def key_of(harvest, text):
    return next(row["key"] for row in harvest.rows()
                if row["messages"][0]["content"] == text)


def test_jsonl_from_prompts_to_dataset(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher()
    write(tmp_path, "p.jsonl",
          {"id": "a", "prompt": "one", "metadata": {"topic": "x", "n": [1, 2.5, None]}},
          {"id": "b", "messages": [{"role": "system", "content": "Be brief."}, *user("two")]},
          {"prompt": "three"})
    harvest("run", "--url", teacher.url, "p.jsonl")
    harvest("export", "-o", "dataset")
    rows = {row["prompt_id"]: row for row in harvest.rows()}
    assert len(rows) == 3
    assert json.loads(rows["a"]["metadata"]) == {"topic": "x", "n": [1, 2.5, None]}
    assert rows["b"]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert rows["b"]["messages"][1]["content"] == "two"


def test_ends_of_lines_and_byte_order_mark(harvest, fake_teacher, tmp_path):
    """What editors of other systems write is the same prompts."""
    teacher = fake_teacher()
    (tmp_path / "unix.txt").write_bytes("eins\nzwei ü\n".encode())
    (tmp_path / "other.txt").write_bytes("\ufeffeins\r\nzwei ü".encode())
    for name in ("unix.txt", "other.txt"):
        harvest("run", "--url", teacher.url, name)
    assert teacher.asked() == 2


def test_again_asks_nothing(harvest, ask):
    teacher = ask()
    before = teacher.counts()["hits"]
    again = harvest.json("run", "--model", "fake", "--url", teacher.url, "prompts.txt")
    assert (again["asked"], again["already_answered"]) == (0, 3)
    assert teacher.counts()["hits"] == before, "nothing to ask, and the teacher was bothered"


def test_three_more_lines_ask_three(harvest, ask, tmp_path):
    teacher = ask()
    (tmp_path / "prompts.txt").write_text(THREE + "four\nfive\nsix\n", encoding="utf-8")
    harvest("run", "--url", teacher.url, "prompts.txt")
    assert {body["messages"][0]["content"] for body in teacher.bodies()[3:]} == \
        {"four", "five", "six"}
    assert teacher.asked() == 6


def test_another_port_asks_nothing(harvest, ask, fake_teacher):
    ask()
    moved = fake_teacher()
    harvest("run", "--url", moved.url, "--model", "fake", "prompts.txt")
    assert moved.asked() == 0


def test_duplicates_collapse_and_are_counted(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher()
    (tmp_path / "a.txt").write_text("one\ntwo\none\n", encoding="utf-8")
    write(tmp_path, "b.jsonl", {"id": "x", "prompt": "two"}, {"prompt": "three"})
    counts = harvest.json("run", "--url", teacher.url, "a.txt", "b.jsonl")
    assert (counts["prompts"], counts["requests"], counts["duplicates"]) == (5, 3, 2)
    assert teacher.asked() == 3


def test_samples(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher("--vary")
    (tmp_path / "p.txt").write_text("one\ntwo\n", encoding="utf-8")
    run = ("run", "--url", teacher.url, "--temperature", "0.7", "p.txt", "--samples")
    harvest(*run, 3)
    harvest("export", "-o", "dataset")
    assert sorted((row["messages"][0]["content"], row["sample"]) for row in harvest.rows()) == \
        [(text, sample) for text in ("one", "two") for sample in range(3)]
    harvest(*run, 4)
    assert teacher.asked() == 8


def test_equal_answers_are_exported_once(harvest, ask):
    ask("--samples", 3, "--temperature", 1)
    counts = harvest.json("export", "-o", "dataset")
    assert len(harvest.rows()) == 3
    assert counts["answers"] == 9 and sum(counts["left_out"].values()) == 6
    harvest("export", "--keep", "-o", "all")
    assert len(harvest.rows("all")) == 9


def test_row_wins_over_option_over_stanza(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher()
    (tmp_path / "harvest.yaml").write_text(f"""
teachers:
  local:
    url: {teacher.url}
    temperature: 0.1
    max_tokens: 7
    params:
      top_p: 0.9
      temperature: 0.2
      seed: 1
      stop: [x, "5"]
""", encoding="utf-8")
    write(tmp_path, "p.jsonl", {"prompt": "one", "params": {"seed": 3, "max_tokens": 9}},
          {"prompt": "two"})
    harvest("run", "--temperature", "0.5", "-c", 1, "p.jsonl")
    one, two = teacher.bodies()
    assert one == {"messages": user("one"), "model": "fake", "temperature": 0.5, "top_p": 0.9,
                   "seed": 3, "max_tokens": 9, "stop": ["x", "5"]}
    assert two == one | {"messages": user("two"), "seed": 1, "max_tokens": 7}


def test_only_what_is_asked_for_is_sent(ask):
    """A server that is not known to be vLLM gets no field that OpenAI does not have."""
    teacher = ask(prompts="one\n")
    assert teacher.bodies() == [{"messages": user("one"), "model": "fake"}]
    headers, _ = next(teacher.requests())
    assert headers["user-agent"].startswith("harvest/")
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers and "expect" not in headers


def test_system_prompt(harvest, ask):
    teacher = ask("--system", "Be brief.", prompts="one\n")
    assert teacher.bodies()[0]["messages"] == \
        [{"role": "system", "content": "Be brief."}, *user("one")]
    harvest("run", "--url", teacher.url, "prompts.txt")
    assert teacher.asked() == 2, "with another system prompt it is another request"


def test_limit_then_all(harvest, ask):
    teacher = ask("--limit", 2)
    assert teacher.asked() == 2
    harvest("run", "--url", teacher.url, "prompts.txt")
    assert teacher.asked() == 3


def test_standard_input(harvest, fake_teacher):
    teacher = fake_teacher()
    harvest("run", "--url", teacher.url, "-", stdin=THREE)
    assert teacher.asked() == 3
    harvest("run", "--url", teacher.url, "--input", "jsonl", "-", stdin='{"prompt": "one"}\n')
    assert teacher.asked() == 3


@pytest.mark.parametrize("concurrency", [1, 4])
def test_concurrency_is_a_ceiling(ask, concurrency):
    teacher = ask("--concurrency", concurrency, teacher=("--delay", 5),
                  prompts="".join(f"{i}\n" for i in range(60)))
    assert teacher.counts()["max_in_flight"] == concurrency


def test_rate_is_a_ceiling(ask):
    teacher = ask("--rpm", 1200, prompts="".join(f"{i}\n" for i in range(30)))
    times = [line["at"] for line in teacher.book()]
    assert len(times) == 30
    # 1200 a minute is one in 50 ms, give or take what timers and the network do to one.
    assert 29 * 0.050 - 0.030 <= times[-1] - times[0] <= 29 * 0.050 * 2


def test_served_model_is_stored_and_warned_of(harvest, ask):
    teacher = ask("--model", "other", teacher=("--no-models",))
    assert "'other'" in teacher.done.stderr and "'fake'" in teacher.done.stderr
    assert harvest.query("SELECT DISTINCT model_asked, model_served, flags FROM answers") == \
        [("other", "fake", "model_mismatch")]


def test_logprobs_come_back_bit_for_bit(harvest, ask):
    ask("--top-logprobs", 20, "--max-tokens", 12)
    harvest("export", "--logprobs", "--keep", "-o", "dataset")
    assert len(harvest.rows()) == 3
    for row in harvest.rows():
        reply = json.loads(harvest("show", "--raw", row["key"]).stdout)
        content = reply["choices"][0]["logprobs"]["content"]
        assert len(content) == 12
        assert row["tokens"] == [entry["token"] for entry in content]
        assert row["token_logprobs"] == [entry["logprob"] for entry in content]
        assert row["top_tokens"] == \
            [[top["token"] for top in entry["top_logprobs"]] for entry in content]
        assert row["top_logprobs"] == \
            [[top["logprob"] for top in entry["top_logprobs"]] for entry in content]
        assert row["token_bytes"] == [bytes(entry["bytes"]).hex() for entry in content]


def test_vllm_is_asked_for_ids(harvest, ask):
    teacher = ask("--top-logprobs", 2, "--max-tokens", 5, prompts="one\n",
                  teacher=("--owned-by", "vllm"))
    assert teacher.bodies()[0]["return_token_ids"] is True
    assert teacher.bodies()[0]["return_tokens_as_token_ids"] is True
    harvest("export", "--logprobs", "--keep", "-o", "dataset")
    row, = harvest.rows()
    reply = json.loads(harvest("show", "--raw", row["key"]).stdout)
    assert row["token_ids"] == reply["choices"][0]["token_ids"]
    assert all(number >= 0 for numbers in row["top_token_ids"] for number in numbers)


def test_llamacpp_ids(harvest, ask):
    teacher = ask("--top-logprobs", 3, "--max-tokens", 5, prompts="one\n",
                  teacher=("--owned-by", "llamacpp"))
    assert "return_token_ids" not in teacher.bodies()[0]
    harvest("export", "--logprobs", "--keep", "-o", "dataset")
    row, = harvest.rows()
    content = json.loads(harvest("show", "--raw", row["key"]).stdout)["choices"][0]["logprobs"]
    assert row["token_ids"] == [entry["id"] for entry in content["content"]]


# ---- at a terminal and in cron --------------------------------------------------------------------


def run_at_terminal(harvest, *words):
    """What is drawn on a terminal that is standard error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([HARVEST, "run", *map(str, words)], cwd=harvest.folder,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
                               env=clean_environment(harvest.folder) | {"TERM": "xterm"})
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # how Linux tells the end of a terminal
        while data := os.read(ours, 65536):
            drawn += data
    os.close(ours)
    with process:
        assert process.stdout.read() == b""
    assert process.returncode == 0
    return drawn.decode()


def test_progress_and_summary_at_a_terminal(harvest, fake_teacher, tmp_path):
    teacher = fake_teacher("--delay", 100)
    (tmp_path / "p.txt").write_text("".join(f"{i}\n" for i in range(20)) + "0\n")
    drawn = run_at_terminal(harvest, "--url", teacher.url, "-c", 2, "p.txt")
    assert "\r" in drawn and "20" in drawn
    last = drawn.rstrip().split("\n")[-4:]
    assert any("21 prompts" in line and "1 identical" in line for line in last)
    assert any("20 answered" in line for line in last)
    assert "harvest export -o" in last[-1]


def test_silent_in_cron(harvest, ask):
    done = ask().done
    assert (done.stdout, done.stderr) == ("", "")
    assert harvest("export", "-o", "dataset").stderr == ""


def dataset_bytes(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_arrival_order_leaves_no_trace(harvest, fake_teacher, tmp_path):
    (tmp_path / "p.txt").write_text("".join(f"prompt {i}\n" for i in range(60)))
    scripts = ("", "every 3 200 delay=30ms\nevery 5 200 delay=9ms\nevery 7 drip 50 every=1ms\n"
               "4 500\n9 429 retry-after=0\n12 200 chunked\n* 200 delay=1ms")
    for name, script, concurrency in (("a", scripts[0], 1), ("b", scripts[1], 16)):
        teacher = fake_teacher(script=script)
        harvest("run", "--store", f"{name}.db", "--url", teacher.url, "-c", concurrency,
                "--top-logprobs", 3, "p.txt")
        harvest("export", "--store", f"{name}.db", "--logprobs", "--shard-size", "64K",
                "-o", name)
    assert len(list((tmp_path / "a/data").iterdir())) > 1
    assert dataset_bytes(tmp_path / "a") == dataset_bytes(tmp_path / "b")
