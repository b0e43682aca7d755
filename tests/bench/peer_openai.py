# SPDX-License-Identifier: MIT
"""The short loop people write: the official client, answers appended to a JSONL file.

peer_openai.py URL MODEL PROMPTS CONCURRENCY FILE [TOP_LOGPROBS]
"""
import asyncio
import sys

import openai


async def ask_all(url, model, prompts, concurrency, out, top_logprobs):
    client = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    more = {"logprobs": True, "top_logprobs": top_logprobs} if top_logprobs else {}
    todo = iter(prompts)

    async def worker():
        for prompt in todo:
            reply = await client.chat.completions.create(
                model=model, max_tokens=512, temperature=0,
                messages=[{"role": "user", "content": prompt}], **more)
            out.write(reply.model_dump_json() + "\n")

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    await client.close()


def main():
    url, model, path, concurrency, output = sys.argv[1:6]
    top_logprobs = int(sys.argv[6]) if len(sys.argv) > 6 else 0
    with open(path, encoding="utf-8") as file:
        prompts = file.read().splitlines()
    with open(output, "w", encoding="utf-8") as out:
        asyncio.run(ask_all(url, model, prompts, int(concurrency), out, top_logprobs))


if __name__ == "__main__":
    main()
