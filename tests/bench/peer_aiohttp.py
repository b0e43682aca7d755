# SPDX-License-Identifier: MIT
"""The careful loop people write: aiohttp on uvloop, answers into SQLite.

peer_aiohttp.py URL MODEL PROMPTS CONCURRENCY DATABASE [TOP_LOGPROBS]

One transaction for 256 answers at synchronous=FULL, as durable as harvest. The JSON is kept;
with log-probabilities they are also taken out of it into columns: token texts as JSON, values
as packed floats, which is the cheapest form that a trainer can still use.
"""
import array
import asyncio
import json
import sqlite3
import sys

import aiohttp
import uvloop

BATCH = 256


def columns(reply):
    tokens, values = [], array.array("f")
    for entry in reply["choices"][0]["logprobs"]["content"]:
        tokens.append(entry["token"])
        values.append(entry["logprob"])
        for other in entry["top_logprobs"]:
            tokens.append(other["token"])
            values.append(other["logprob"])
    return json.dumps(tokens, ensure_ascii=False), values.tobytes()


class Store:
    def __init__(self, path):
        self.base = sqlite3.connect(path, isolation_level=None)
        self.base.execute("pragma journal_mode=wal")
        self.base.execute("pragma synchronous=full")
        self.base.execute("create table answer (id integer primary key, prompt text, body text,"
                          " tokens text, logprobs blob)")
        self.waiting = 0

    def put(self, number, prompt, reply, with_logprobs):
        if self.waiting == 0:
            self.base.execute("begin")
        tokens, values = columns(reply) if with_logprobs else (None, None)
        self.base.execute("insert into answer values (?, ?, ?, ?, ?)",
                          (number, prompt, json.dumps(reply), tokens, values))
        self.waiting += 1
        if self.waiting == BATCH:
            self.commit()

    def commit(self):
        if self.waiting:
            self.base.execute("commit")
            self.waiting = 0


async def ask_all(url, model, prompts, concurrency, store, top_logprobs):
    body = {"model": model, "max_tokens": 512, "temperature": 0}
    if top_logprobs:
        body |= {"logprobs": True, "top_logprobs": top_logprobs}
    todo = enumerate(prompts)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def worker():
            for number, prompt in todo:
                messages = [{"role": "user", "content": prompt}]
                async with session.post(url, json=body | {"messages": messages}) as response:
                    response.raise_for_status()
                    reply = await response.json()
                store.put(number, prompt, reply, top_logprobs > 0)

        await asyncio.gather(*(worker() for _ in range(concurrency)))
    store.commit()


def main():
    url, model, path, concurrency, database = sys.argv[1:6]
    top_logprobs = int(sys.argv[6]) if len(sys.argv) > 6 else 0
    with open(path, encoding="utf-8") as file:
        prompts = file.read().splitlines()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask_all(url + "/v1/chat/completions", model, prompts, int(concurrency),
                           Store(database), top_logprobs))


if __name__ == "__main__":
    main()
