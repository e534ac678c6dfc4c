#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Code shown in a .md file is the code that is compiled and run.

After a marker <!-- example:path/of/file.c --> the next fenced block holds that file verbatim, without its opening SPDX
lines. README.md must show tests/api/consumer.c.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import lintlib

MARKER = re.compile(r"^<!-- example:(\S+) -->\n+```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY_MARKER = re.compile(r"<!-- example:")
SPDX = re.compile(r"\A(?:(?://|#) SPDX-[^\n]*\n)+\n*")
REQUIRED = ("README.md", "tests/api/consumer.c")


def first_difference(shown: str, source: str) -> str:
    pairs = zip(shown.splitlines() + ["(end)"], source.splitlines() + ["(end)"])
    return next((f"shows '{mine}' for '{theirs}'" for mine, theirs in pairs if mine != theirs), "differs")


def check_doc(root: Path, name: str, seen: set[tuple[str, str]]) -> list[str]:
    text = lintlib.read(root, name)
    findings = []
    matches = list(MARKER.finditer(text))
    if len(matches) != len(ANY_MARKER.findall(text)):
        findings.append(f"{name}:1: an example marker is not followed by a fenced block")
    for match in matches:
        line = text.count("\n", 0, match.start()) + 1
        seen.add((name, match[1]))
        if not (root / match[1]).is_file():
            findings.append(f"{name}:{line}: example {match[1]} does not exist")
            continue
        source = SPDX.sub("", lintlib.read(root, match[1]))
        if match[2] != source:
            findings.append(f"{name}:{line}: example {match[1]} {first_difference(match[2], source)}")
    return findings


def check(root: Path, files: list[str]) -> list[str]:
    seen: set[tuple[str, str]] = set()
    findings = [finding for name in files if name.endswith(".md") for finding in check_doc(root, name, seen)]
    if REQUIRED not in seen:
        findings.append(f"{REQUIRED[0]}:1: has no example:{REQUIRED[1]}")
    return findings


SOURCE = {"tests/api/consumer.c": "// SPDX-x\n// SPDX-y\n\nint main(void) { return 0; }\n"}
SHOWN = "text\n<!-- example:tests/api/consumer.c -->\n```c\nint main(void) { return 0; }\n```\n"
CASES = [
    lintlib.Case("good", {**SOURCE, "README.md": SHOWN}, None),
    lintlib.Case("stale", {**SOURCE, "README.md": SHOWN.replace("0", "1")}, "README.md:2: example"),
    lintlib.Case("cut", {"tests/api/consumer.c": SOURCE["tests/api/consumer.c"] + "int x;\n", "README.md": SHOWN}, "(end)"),
    lintlib.Case("not there", {**SOURCE, "README.md": "nothing\n"}, "has no example"),
    lintlib.Case("gone", {"README.md": SHOWN}, "does not exist"),
    lintlib.Case("no block", {**SOURCE, "README.md": SHOWN, "docs/a.md": "<!-- example:x -->\ntext\n"}, "fenced block"),
]

if __name__ == "__main__":
    sys.exit(lintlib.main(check, CASES))
