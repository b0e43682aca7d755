#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench: harvest beside wrk, libcurl and the Python loops people write.

run.py BUILD [--quick] [--rounds N]

All clients ask the same fake teacher for the same bytes, in turns, the teacher on one core and
the client on the other. CPU is user plus system time of the whole command, from start to exit
(wait4), divided by answers. What is printed is `name value unit`, the median of the rounds with
the smallest and largest; then the ratios, which alone can be compared between machines.
"""
import argparse
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
MODEL = "smol"
FLIGHT = 64


class Bench:
    def __init__(self, build, quick, rounds):
        self.build = pathlib.Path(build).resolve()
        self.quick = quick
        self.rounds = 1 if quick else rounds
        self.dir = self.build / "bench.d"
        shutil.rmtree(self.dir / "work", ignore_errors=True)
        (self.dir / "work").mkdir(parents=True)
        self.samples, self.units = {}, {}
        self.pin = len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") is not None
        self.python = self.dir / "python" / "bin" / "python"
        self.debian = "/usr/bin/python3"

    def pinned(self, core, command):
        words = [str(word) for word in command]
        return ["taskset", "-c", str(core), *words] if self.pin else words

    def note(self, name, value):
        self.samples.setdefault(name, []).append(value)

    def timed(self, name, count, command, **environment):
        """Runs a client on its core; notes CPU and rows a second of the whole command."""
        log = self.dir / "work" / "client.log"
        with open(log, "wb") as out:
            started = time.monotonic()
            client = subprocess.Popen(self.pinned(1, command), stdout=out, stderr=out,
                                      env=os.environ | environment, cwd=self.dir / "work")
            _, status, usage = os.wait4(client.pid, 0)
            wall = time.monotonic() - started
        client.returncode = os.waitstatus_to_exitcode(status)
        output = log.read_text(errors="replace")
        if client.returncode != 0:
            sys.exit(f"bench: {name} ended with {client.returncode}:\n{output}")
        count = count(output) if callable(count) else count
        self.note(name + ".cpu", (usage.ru_utime + usage.ru_stime) * 1e6 / count)
        self.note(name + ".rate", count / wall)
        return output

    def median(self, name):
        return statistics.median(self.samples[name])

    def prompts(self, count):
        path = self.dir / "work" / f"prompts{count}.txt"
        if not path.exists():
            path.write_text("".join(f"Question {i}: what is {i} times {i % 97 + 2}, and why?\n"
                                    for i in range(count)))
        return path


class Teacher:
    """The fake teacher with one body for every question, on its own core."""

    def __init__(self, bench, body):
        address = bench.dir / "work" / (body.name + ".port")
        self.process = subprocess.Popen(bench.pinned(0, [
            bench.build / "tests/teacher/fake_teacher", "--with-parent", "--port-file", address,
            "--model", MODEL, "--body", body]), stdout=subprocess.DEVNULL)
        while not address.exists():
            if self.process.poll() is not None:
                sys.exit("bench: the fake teacher does not start")
            time.sleep(0.05)
        self.url = "http://127.0.0.1:" + address.read_text().strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def plain_body(path):
    """An answer of 2 KB as hosted teachers send it: 1.5 KB of prose, then the usual members."""
    prose = (TOP / "COPYING").read_text().replace("\n", " ")[:1500]
    reply = {
        "id": "chatcmpl-000000000000000000000001", "object": "chat.completion",
        "created": 1795319896, "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": prose,
                                             "refusal": None, "annotations": []},
                     "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 24, "completion_tokens": 361, "total_tokens": 385,
                  "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                                                "accepted_prediction_tokens": 0,
                                                "rejected_prediction_tokens": 0}},
        "service_tier": "default", "system_fingerprint": "fp_0000000001"}
    path.write_text(json.dumps(reply, indent=2) + "\n")
    return path


def request_body(path, top_logprobs):
    body = {"model": MODEL, "max_tokens": 512, "temperature": 0,
            "messages": [{"role": "user", "content": "Question 1: what is 1 times 3, and why?"}]}
    if top_logprobs:
        body |= {"logprobs": True, "top_logprobs": top_logprobs}
    path.write_text(json.dumps(body))
    return path


def run_wrk(bench, variant, teacher, body):
    if shutil.which("wrk") is None:
        return
    seconds = 1 if bench.quick else 3

    def requests(output):
        assert "Non-2xx" not in output, output
        return int(output.split(" requests in")[0].split()[-1])
    bench.timed(f"{variant}.wrk", requests,
                ["wrk", "-t1", f"-c{FLIGHT}", f"-d{seconds}s", "-s", HERE / "post.lua",
                 teacher.url + "/v1/chat/completions"], BENCH_BODY=str(body))


def run_curl(bench, variant, teacher, body, count):
    bench.timed(f"{variant}.curl", count,
                [bench.build / "tests/bench/bench_curl", teacher.url + "/v1/chat/completions",
                 count, FLIGHT, body])


def run_harvest(bench, variant, teacher, count, top_logprobs):
    for old in (bench.dir / "work").glob("bench.db*"):
        old.unlink()
    command = [bench.build / "harvest/harvest", "run", bench.prompts(count), "--url",
               teacher.url, "--model", MODEL, "--store", "bench.db", "--concurrency", FLIGHT,
               "--max-tokens", 512, "--temperature", 0]
    if top_logprobs:
        command += ["--top-logprobs", top_logprobs]
    bench.timed(f"{variant}.harvest", count, command)
    size = sum(path.stat().st_size for path in (bench.dir / "work").glob("bench.db*"))
    bench.note(f"{variant}.harvest.bytes", size / count)
    with sqlite3.connect(bench.dir / "work" / "bench.db") as store:
        answers = store.execute("select count(*) from answers").fetchone()[0]
    assert answers == count, f"{answers} of {count} answers are in the store"


def run_peer(bench, name, teacher, count, top_logprobs):
    """name: VARIANT.PEER, with _debian for the Python and the libraries of the system."""
    peer, _, debian = name.split(".")[1].partition("_")
    python = bench.debian if debian else bench.python
    if python is None or not pathlib.Path(python).exists():
        return
    for old in (bench.dir / "work").glob("peer.*"):
        old.unlink()
    bench.timed(name, count, [python, HERE / f"peer_{peer}.py", teacher.url, MODEL,
                              bench.prompts(count), FLIGHT, "peer.out", top_logprobs])


def run_part(bench, prefix, program, *words):
    """A part of harvest by itself; the program prints `name value unit`."""
    done = subprocess.run(bench.pinned(1, [bench.build / "tests/bench" / program, *words]),
                          capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        name, value, unit = line.split()
        bench.note(prefix + name, float(value))
        bench.units[prefix + name] = unit


def make_python(bench):
    wanted = HERE / "requirements.txt"
    have = bench.dir / "python" / "requirements.txt"
    if have.exists() and have.read_bytes() == wanted.read_bytes():
        return
    shutil.rmtree(bench.dir / "python", ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", bench.dir / "python"], check=True)
        subprocess.run([bench.python, "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", "-r", wanted], check=True)
        shutil.copy(wanted, have)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench: no Python peers ({error})", file=sys.stderr)
        shutil.rmtree(bench.dir / "python", ignore_errors=True)


def measure(bench):
    work = bench.dir / "work"
    plain = Teacher(bench, plain_body(work / "plain.body"))
    logprob_body = TOP / "tests/unit/replies/vllm.chat_logprobs20.body"
    logprobs = Teacher(bench, logprob_body)
    ask, ask20 = request_body(work / "ask.json", 0), request_body(work / "ask20.json", 20)
    many, some, few = (2000, 400, 100) if bench.quick else (20000, 4000, 1000)
    try:
        for number in range(bench.rounds):
            print(f"bench: round {number + 1} of {bench.rounds}", file=sys.stderr)
            run_wrk(bench, "plain", plain, ask)
            run_curl(bench, "plain", plain, ask, many)
            run_harvest(bench, "plain", plain, many, 0)
            run_peer(bench, "plain.aiohttp", plain, many, 0)
            run_peer(bench, "plain.aiohttp_debian", plain, many, 0)
            run_peer(bench, "plain.openai", plain, few, 0)
            run_wrk(bench, "logprobs", logprobs, ask20)
            run_curl(bench, "logprobs", logprobs, ask20, some)
            run_harvest(bench, "logprobs", logprobs, some, 20)
            run_peer(bench, "logprobs.aiohttp", logprobs, few, 20)
            run_peer(bench, "logprobs.aiohttp_debian", logprobs, few, 20)
            run_peer(bench, "logprobs.openai", logprobs, few // 2, 20)
            run_part(bench, "", "bench_decode", logprob_body)
            run_part(bench, "store.", "bench_store", work, many, logprob_body)
    finally:
        plain.stop()
        logprobs.stop()


# name, above, below, the bound that must be met, the goal behind it
RATIOS = (
    ("plain.harvest/wrk", "plain.harvest.cpu", "plain.wrk.cpu", "<=", 7, 6),
    ("plain.harvest/curl", "plain.harvest.cpu", "plain.curl.cpu", None, None, None),
    ("plain.aiohttp/harvest", "plain.aiohttp.cpu", "plain.harvest.cpu", ">=", 4, 5),
    ("plain.aiohttp_debian/harvest", "plain.aiohttp_debian.cpu", "plain.harvest.cpu", ">=", 4, 5),
    ("plain.openai/harvest", "plain.openai.cpu", "plain.harvest.cpu", None, None, None),
    ("decode.jansson/codec", "decode.jansson", "decode.codec", ">=", 15, 30),
    ("logprobs.aiohttp/harvest", "logprobs.aiohttp.cpu", "logprobs.harvest.cpu", ">=", 10, 20),
    ("logprobs.aiohttp_debian/harvest", "logprobs.aiohttp_debian.cpu", "logprobs.harvest.cpu",
     ">=", 10, 20),
    ("logprobs.openai/harvest", "logprobs.openai.cpu", "logprobs.harvest.cpu", None, None, None),
    ("command.harvest/aiohttp", "plain.harvest.rate", "plain.aiohttp.rate", ">=", 3.3, 5),
    ("command.harvest/aiohttp_debian", "plain.harvest.rate", "plain.aiohttp_debian.rate", ">=",
     3.3, 5),
)


def report(bench):
    units = {"cpu": "us/answer", "rate": "answers/s", "bytes": "bytes/answer"}
    for name, values in sorted(bench.samples.items()):
        unit = bench.units.get(name) or units[name.rsplit(".", 1)[1]]
        print(f"{name} {statistics.median(values):.1f} {unit} "
              f"[{min(values):.1f} {max(values):.1f}]")
    for words, over, under, sign, bound, goal in RATIOS:
        if over not in bench.samples or under not in bench.samples:
            print(f"ratio.{words} skipped")
            continue
        # Ratios are taken round by round: what disturbs one side has disturbed the other.
        ratios = [a / b for a, b in zip(bench.samples[over], bench.samples[under])]
        ratio = statistics.median(ratios)
        verdict = ""
        if sign:
            met = ratio >= bound if sign == ">=" else ratio <= bound
            verdict = f" {'meets' if met else 'misses'} {sign} {bound} (goal {goal})"
        print(f"ratio.{words} {ratio:.2f} x [{min(ratios):.2f} {max(ratios):.2f}]{verdict}")


VERSIONS = """
import aiohttp, sqlite3, sys, uvloop
print("Python", sys.version.split()[0], "aiohttp", aiohttp.__version__, "uvloop",
      uvloop.__version__, "SQLite", sqlite3.sqlite_version, end="")
try:
    import openai
    print(" openai", openai.__version__, end="")
except ImportError:
    pass
"""


def versions(python):
    return subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True,
                          check=True).stdout


def conditions(bench):
    done = subprocess.run([bench.build / "harvest/harvest", "--version"], capture_output=True,
                          text=True, check=True)
    print("\n".join("# " + line for line in done.stdout.splitlines()))
    for python in filter(None, (bench.python, bench.debian)):
        if pathlib.Path(python).exists():
            print("# " + versions(python))
    print(f"# {FLIGHT} in flight, {bench.rounds} rounds, load average "
          + " ".join(f"{load:.2f}" for load in os.getloadavg())
          + ("" if bench.pin else ", not pinned to cores"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true", help="one small round: does it run?")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bench = Bench(options.build, options.quick, options.rounds)
    if bench.quick:
        bench.python = bench.debian = None
    else:
        make_python(bench)
        if subprocess.run([bench.debian, "-c", "import aiohttp, uvloop"], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            bench.debian = None
    conditions(bench)
    measure(bench)
    report(bench)
    shutil.rmtree(bench.dir / "work")


if __name__ == "__main__":
    main()
