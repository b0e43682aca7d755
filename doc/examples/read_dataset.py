#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads a dataset of harvest with nothing but Python: checks it against its manifest, then
prints one row of it, long texts and lists shortened.

    read_dataset.py DIR
"""
import hashlib
import json
import pathlib
import sys


def rows(directory):
    """All rows, shard by shard; ends with an error when a shard is not what it should be."""
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    for shard in manifest["shards"]:
        data = (directory / shard["name"]).read_bytes()
        if hashlib.sha256(data).hexdigest() != shard["sha256"]:
            sys.exit(f"{shard['name']} differs from what manifest.json says")
        for line in data.decode("utf-8").removesuffix("\n").split("\n"):
            yield json.loads(line)


def short(value):
    if isinstance(value, str):
        return value if len(value) <= 160 else value[:150] + "…"
    if isinstance(value, list):
        return [short(item) for item in value[:4]] + (["…"] if len(value) > 4 else [])
    if isinstance(value, dict):
        return {name: short(item) for name, item in value.items()}
    return value


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    count, first = 0, None
    for row in rows(pathlib.Path(sys.argv[1])):
        first = first or row
        count += 1
    print(json.dumps(short(first), indent=2, ensure_ascii=False))
    print(f"{count} rows, all shards as the manifest says")


if __name__ == "__main__":
    main()
