# SPDX-License-Identifier: MIT
"""Other people's readers on our datasets: what comes out equals what the teacher said, and a
column has one type whatever its first rows look like."""
import http.server
import json
import random
import struct
import threading

import pytest

K = 5
ROWS = 60
WORDS = ["the", " caf\u00e9", "\n", "\"quoted\"", "\U0001f600", "\u2028", " \\", "\t", "\x07", ""]


def single(value):
    """The float32 nearest to a number, as the double that a server prints."""
    return struct.unpack("f", struct.pack("f", value))[0]


def entry(rng, number):
    token = rng.choice(WORDS)
    return {"id": number, "token": token, "bytes": list(token.encode()),
            "logprob": single(-rng.expovariate(0.5))}


def reply(prompt):
    """What the teacher says to a prompt: always the same, different for every prompt."""
    rng = random.Random(prompt)
    content = []
    for _ in range(rng.randrange(1, 9)):
        top = [entry(rng, rng.randrange(50000)) for _ in range(K)]
        content.append(dict(rng.choice(top), top_logprobs=top))
    text = prompt + " " + "".join(position["token"] for position in content)
    message = {"role": "assistant", "content": text}
    if prompt.endswith("7"):
        message["reasoning_content"] = "Let me see."
    return {"id": "x", "object": "chat.completion", "model": "sage",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message,
                         "logprobs": {"content": content}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": len(content), "total_tokens": 9}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value):
        body = json.dumps(value).encode()  # escapes all that is not ASCII
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "sage", "object": "model"}]})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(reply(request["messages"][-1]["content"]))


def prompts():
    """Most have no metadata, and those that have differ in its shape."""
    for i in range(ROWS):
        row = {"id": f"q{i}", "prompt": f"say \u00fc {i}"}
        if i > ROWS // 2:
            row["metadata"] = {"n": i} if i % 2 else {"list": [None, "x"]}
        yield row


@pytest.fixture
def dataset(harvest, tmp_path, monkeypatch):
    """The path of a dataset in several shards, and its rows as Python's json reads them."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts()))
    harvest("run", "--url", f"http://127.0.0.1:{server.server_port}", "--top-logprobs", K, "p.jsonl")
    server.shutdown()
    server.server_close()
    harvest("export", "--logprobs", "--shard-size", "20K", "-o", "dataset")
    return tmp_path / "dataset", harvest.rows()


def shards(path):
    return sorted(str(shard) for shard in (path / "data").iterdir())


def test_rows_are_the_teachers(dataset):
    _, rows = dataset
    assert len(rows) == ROWS
    for row in rows:
        prompt = row["messages"][0]["content"]
        choice = reply(prompt)["choices"][0]
        reasoning = choice["message"].get("reasoning_content")
        before = f"<think>\n{reasoning}\n</think>\n\n" if reasoning else ""
        assert row["messages"] == [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": before + choice["message"]["content"]}]
        said = choice["logprobs"]["content"]
        assert row["tokens"] == [position["token"] for position in said]
        assert row["token_ids"] == [position["id"] for position in said]
        assert row["token_bytes"] == [bytes(position["bytes"]).hex() for position in said]
        assert row["token_logprobs"] == [position["logprob"] for position in said]
        for column, member in (("top_tokens", "token"), ("top_token_ids", "id"),
                               ("top_logprobs", "logprob")):
            assert row[column] == [[one[member] for one in position["top_logprobs"]]
                                   for position in said]
        assert row["logprobs_complete"] is True


def test_pyarrow(dataset):
    arrow = pytest.importorskip("pyarrow")
    reader = pytest.importorskip("pyarrow.json")
    path, rows = dataset
    tables = [reader.read_json(shard) for shard in shards(path)]
    assert len(tables) > 2
    manifest = json.loads((path / "manifest.json").read_text())
    for table in tables:
        assert table.schema == tables[0].schema
        assert table.column_names == [column["name"] for column in manifest["columns"]]
        for field, column in zip(table.schema, manifest["columns"]):
            assert str(field.type).replace("item: ", "") == column["type"], field
    assert arrow.concat_tables(tables).to_pylist() == rows


def test_numbers_are_exact(dataset):
    numpy = pytest.importorskip("numpy")
    reader = pytest.importorskip("pyarrow.json")
    path, rows = dataset
    read = reader.read_json(shards(path)[0]).column("top_logprobs").to_pylist()
    for values, row in zip(read, rows):
        doubles = numpy.array(values)
        assert numpy.array_equal(doubles, numpy.array(row["top_logprobs"]))
        assert numpy.array_equal(doubles.astype(numpy.float32).astype(float), doubles)


def test_datasets(dataset, tmp_path):
    datasets = pytest.importorskip("datasets")
    path, rows = dataset
    read = datasets.load_dataset(str(path), cache_dir=str(tmp_path / "cache"))
    assert list(read) == ["train"]
    assert read["train"].column_names == list(rows[0])
    assert read["train"].to_list() == rows


def test_datasets_streaming(dataset):
    datasets = pytest.importorskip("datasets")
    path, rows = dataset
    assert list(datasets.load_dataset(str(path), split="train", streaming=True)) == rows


def test_duckdb(dataset):
    duckdb = pytest.importorskip("duckdb")
    path, rows = dataset
    base = duckdb.connect()
    read = base.sql(f"SELECT * FROM read_json('{path}/data/*.jsonl') ORDER BY key")
    types = dict(zip(read.columns, map(str, read.types)))
    assert types["top_logprobs"] == "DOUBLE[][]" and types["top_token_ids"] == "BIGINT[][]"
    assert types["logprobs_complete"] == "BOOLEAN"
    names = list(rows[0])
    assert [dict(zip(read.columns, row)) for row in read.fetchall()] == \
        [{name: row[name] for name in names} for row in rows]


def test_without_logprobs(harvest, dataset, tmp_path):
    datasets = pytest.importorskip("datasets")
    _, rows = dataset
    harvest("export", "-o", "plain")
    read = datasets.load_dataset(str(tmp_path / "plain"), cache_dir=str(tmp_path / "cache"),
                                 split="train")
    assert read.to_list() == [{name: row[name] for name in list(row)[:7]} for row in rows]
