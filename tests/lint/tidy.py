#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over src/, perf/ and plugin/, with the commands of build/tests/compile_commands.json; every warning is an error.

A file is checked again only when it, a header of this repository that it includes, its compile command or .clang-tidy
changed: what was clean is kept in build/tests/tidy/. --self-test shows the check red on bad input.
The last line is "N passed, N failed, N skipped", in files; skipped are the unchanged ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import lintlib

BUILD = lintlib.ROOT / "build/tests"
CLEAN = BUILD / "tidy"
CHECKED = ("src/", "perf/", "plugin/")
# arguments of g++ that clang does not know
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-unused-command-line-argument"]


@dataclass(frozen=True)
class Unit:
    name: str  # relative to the repository
    directory: str
    command: list[str]


def units() -> list[Unit]:
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8")):
        name = os.path.relpath(os.path.join(entry["directory"], entry["file"]), lintlib.ROOT)
        if name.startswith(CHECKED):
            found.setdefault(name, Unit(name, entry["directory"], shlex.split(entry["command"])))
    return [found[name] for name in sorted(found)]


def fingerprint(unit: Unit) -> str:
    """Of all that the verdict depends on, system headers and clang-tidy itself by their version."""
    drop = {"-o", "-MF", "-MQ"}
    command = [word for index, word in enumerate(unit.command)
               if word not in drop | {"-c", "-MD"} and unit.command[index - 1] not in drop]
    listed = subprocess.run([*command, "-MM"], cwd=unit.directory, check=True, capture_output=True, text=True).stdout
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True, text=True).stdout
    digest = hashlib.sha256(json.dumps([unit.command, version]).encode())
    digest.update((lintlib.ROOT / ".clang-tidy").read_bytes())
    for header in listed.replace("\\\n", " ").split()[1:]:
        digest.update((Path(unit.directory) / header).read_bytes())
    return digest.hexdigest()


def tidy(build: Path, source: str) -> str:
    """What clang-tidy has against the file; empty when nothing."""
    command = ["clang-tidy", "--quiet", f"--config-file={lintlib.ROOT / '.clang-tidy'}", "-p", str(build), *EXTRA, source]
    result = subprocess.run(command, capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout.strip() or result.stderr.strip()


def check_unit(unit: Unit) -> str:
    """passed, failed or skipped."""
    kept = CLEAN / unit.name.replace("/", "_")
    try:
        mark = fingerprint(unit)
    except subprocess.CalledProcessError as error:
        print(f"{unit.name}: does not preprocess:\n{error.stderr}", flush=True)
        return "failed"
    if kept.exists() and kept.read_text(encoding="utf-8") == mark:
        return "skipped"
    if findings := tidy(BUILD, str(lintlib.ROOT / unit.name)):
        print(findings, flush=True)
        return "failed"
    kept.write_text(mark, encoding="utf-8")
    return "passed"


def self_test() -> int:
    """Bad input is red, good input is not."""
    bad = "int* f() {\n  int* p = nullptr;\n  *p = 1;\n  return p;\n}\n"
    good = "int f() { return 1; }\n"
    with tempfile.TemporaryDirectory(prefix="tidy-") as directory:
        entries = [{"directory": directory, "file": name, "command": f"c++ -c {name}"} for name in ("bad.cc", "good.cc")]
        build = Path(directory)
        (build / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")
        (build / "bad.cc").write_text(bad, encoding="utf-8")
        (build / "good.cc").write_text(good, encoding="utf-8")
        wrong = []
        if "clang-analyzer-core.NullDereference" not in tidy(build, str(build / "bad.cc")):
            wrong.append("tidy.py: self-test: is not red on a null dereference")
        if findings := tidy(build, str(build / "good.cc")):
            wrong.append(f"tidy.py: self-test: is red on good input: {findings}")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


def main() -> int:
    if self_test():
        return 1
    if sys.argv[1:] == ["--self-test"]:
        return 0
    if not (BUILD / "compile_commands.json").exists():
        print("tidy.py: build/tests/compile_commands.json is missing: run ./tests/run, or meson setup build/tests")
        return 1
    CLEAN.mkdir(exist_ok=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(check_unit, units()))
    counts = {word: results.count(word) for word in ("passed", "failed", "skipped")}
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
