"""Prints the licence texts of everything that is part of the program: `licences.py TARGET`."""

import json
import subprocess
import sys
from pathlib import Path


def texts(directory):
    """Licence files of a crate, and of the C library whose source it brings along."""
    for depth in ("*", "*/*"):
        for path in sorted(directory.glob(depth)):
            is_named = path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"))
            if path.is_file() and is_named and path.suffix not in (".rs", ".c", ".h", ".py"):
                yield path.read_text(errors="replace").strip()


def main():
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", sys.argv[1]]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    parts, pending = set(), [root]
    while pending:
        for dep in nodes[pending.pop()]["deps"]:
            # A `-src` crate is there to build, and what it builds becomes part of the program.
            is_part = any(kind["kind"] is None for kind in dep["dep_kinds"]) or dep["name"].endswith("_src")
            if is_part and dep["pkg"] not in parts:
                parts.add(dep["pkg"])
                pending.append(dep["pkg"])
    used = {}
    print("runner contains the libraries below. Each is followed by the numbers of its licence texts.\n")
    for package in sorted((packages[part] for part in parts), key=lambda package: package["name"]):
        numbers = [used.setdefault(text, len(used) + 1) for text in texts(Path(package["manifest_path"]).parent)]
        listed = ", ".join(str(number) for number in sorted(set(numbers))) or "no text in its source"
        print(f"{package['name']} {package['version']} ({package['license']}): {listed}")
    for text, number in used.items():
        print(f"\n{'=' * 20} {number}\n\n{text}")


main()
