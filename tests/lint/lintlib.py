# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What every lint check shares: which files there are, how findings are printed, how a check is shown red.

A check is a function (root, files) -> findings, one "path:line: text" each. Files are paths relative to root.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

Check = Callable[[Path, list[str]], list[str]]

CXX_SUFFIXES = (".h", ".c", ".cc", ".cu", ".cuh", ".inc")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """One self-test: a small tree, and a piece of the finding it must give; None when it must give none."""

    name: str
    files: dict[str, str]
    finding: str | None


def repo_files(root: Path) -> list[str]:
    """Files that git tracks, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True)
    return sorted(name for name in set(listed.stdout.split("\0")) if name and (root / name).is_file())


def first_line(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.readline(200).decode("utf-8", "replace")


def is_script(root: Path, name: str, interpreter: str) -> bool:
    """Whether a file without a suffix is a script of "sh" (and bash) or "python3"."""
    if Path(name).suffix:
        return False
    line = first_line(root / name)
    return line.startswith("#!") and interpreter in line


def is_python(root: Path, name: str) -> bool:
    return name.endswith(".py") or is_script(root, name, "python3")


def is_shell(root: Path, name: str) -> bool:
    return name.endswith(".sh") or is_script(root, name, "sh")


def is_cxx(name: str) -> bool:
    return name.endswith(CXX_SUFFIXES)


def read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8", errors="replace")


def run_case(check: Check, case: Case) -> str | None:
    """What is wrong with the check, seen by this case; None when nothing is."""
    with tempfile.TemporaryDirectory(prefix="lint-") as directory:
        root = Path(directory)
        for name, text in case.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        findings = check(root, sorted(case.files))
    if case.finding is None:
        return f"is red on good input: {findings}" if findings else None
    if not any(case.finding in finding for finding in findings):
        return f"is not red on bad input, expected '{case.finding}', got {findings}"
    return None


def main(check: Check, cases: list[Case]) -> int:
    """Entry of every check script: no argument checks the repository, --self-test checks the check."""
    arguments = sys.argv[1:]
    name = Path(sys.argv[0]).name
    if arguments == ["--self-test"]:
        wrong = [f"{name}: self-test '{case.name}' {text}" for case in cases if (text := run_case(check, case))]
    elif not arguments:
        wrong = check(ROOT, repo_files(ROOT))
    else:
        print(f"usage: {name} [--self-test]", file=sys.stderr)
        return 2
    for line in wrong:
        print(line)
    return 1 if wrong else 0
