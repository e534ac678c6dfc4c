#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Text files: no trailing blanks, no carriage returns, no tabs in sources, exactly one newline at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import lintlib

VERBATIM = ("LICENSE",)  # taken over as they are


def line_problem(line: str, tabs_allowed: bool) -> str | None:
    if line.endswith("\r"):
        return "carriage return"
    if line != line.rstrip():
        return "trailing blank"
    if "\t" in line and not tabs_allowed:
        return "tab"
    return None


def check_text(name: str, text: str, tabs_allowed: bool) -> list[str]:
    lines = text.split("\n")
    findings = [f"{name}:{number}: {problem}" for number, line in enumerate(lines, 1)
                if (problem := line_problem(line, tabs_allowed))]
    if text and not text.endswith("\n"):
        findings.append(f"{name}:{len(lines)}: no newline at the end")
    if text.endswith("\n\n"):
        findings.append(f"{name}:{len(lines) - 1}: empty lines at the end")
    return findings


def check(root: Path, files: list[str]) -> list[str]:
    findings = []
    for name in files:
        data = (root / name).read_bytes()
        if name in VERBATIM or b"\0" in data:
            continue
        tabs_allowed = not (lintlib.is_cxx(name) or lintlib.is_python(root, name) or name.endswith("meson.build"))
        findings += check_text(name, data.decode("utf-8", "replace"), tabs_allowed)
    return findings


CASES = [
    lintlib.Case("good", {"a.cc": "int a;\n\nint b;\n", "b.csv": "1\t2\n", "empty": ""}, None),
    lintlib.Case("trailing", {"a.md": "one \ntwo\n"}, "a.md:1: trailing blank"),
    lintlib.Case("tab", {"a.cc": "\tint a;\n"}, "a.cc:1: tab"),
    lintlib.Case("carriage return", {"a.txt": "one\r\n"}, "carriage return"),
    lintlib.Case("no newline", {"a.txt": "one"}, "no newline"),
    lintlib.Case("empty lines", {"a.txt": "one\n\n\n"}, "empty lines at the end"),
]

if __name__ == "__main__":
    sys.exit(lintlib.main(check, CASES))
