#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""A file over 500 lines, or a function over 60 (120 in src/kernels), needs a reason.

The reason is a comment in the file: `long: <why>`. Functions are found by universal-ctags.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import lintlib

FILE_LINES = 500
FUNCTION_LINES = 60
KERNEL_LINES = 120
REASON = re.compile(r"(?://|#|/\*)\s*long: \S+")


def functions(root: Path, names: list[str]) -> list[dict]:
    command = ["ctags", "--output-format=json", "--fields=+ne", "--kinds-C++=f", "--kinds-C=f", "--kinds-Python=fm",
               "--languages=C++,C,Python", "--langmap=C++:+.h.cu.cuh", "-f", "-", "-L", "-"]
    tags = subprocess.run(command, cwd=root, input="\n".join(names) + "\n", check=True, capture_output=True, text=True)
    return [json.loads(line) for line in tags.stdout.splitlines() if line.startswith("{")]


def check(root: Path, files: list[str]) -> list[str]:
    names = [name for name in files if lintlib.is_cxx(name) or name.endswith(".py")]
    texts = {name: lintlib.read(root, name) for name in names}
    names = [name for name in names if not REASON.search(texts[name])]
    findings = [f"{name}:1: {lines} lines, more than {FILE_LINES}: split it, or say why with a 'long: reason' comment"
                for name in names if (lines := texts[name].count("\n")) > FILE_LINES]
    for tag in functions(root, names):
        limit = KERNEL_LINES if tag["path"].startswith("src/kernels/") else FUNCTION_LINES
        lines = tag.get("end", tag["line"]) - tag["line"] + 1
        if lines > limit:
            findings.append(f"{tag['path']}:{tag['line']}: {tag['name']}() has {lines} lines, more than {limit}: "
                            "split it, or say why with a 'long: reason' comment")
    return findings


def function(lines: int, name: str = "f") -> str:
    return f"int {name}() {{\n" + "  ++counter;\n" * (lines - 2) + "}\n"


CASES = [
    lintlib.Case("good", {"src/a/a.cc": function(60), "src/kernels/k.cc": function(120), "docs/a.md": "x\n" * 600,
                          "src/a/b.cc": "// long: a table, one row a line\n" + "int x;\n" * 600}, None),
    lintlib.Case("long file", {"src/a/a.h": "int x;\n" * 501}, "src/a/a.h:1: 501 lines"),
    lintlib.Case("long function", {"src/a/a.cc": "\n" + function(61)}, "src/a/a.cc:2: f() has 61 lines"),
    lintlib.Case("long function in a header", {"src/a/a.h": "inline " + function(61)}, "f() has 61 lines"),
    lintlib.Case("long kernel", {"src/kernels/k.cc": function(121)}, "f() has 121 lines"),
    lintlib.Case("empty reason", {"src/a/a.cc": "// long:\n" + function(61)}, "f() has 61 lines"),
    lintlib.Case("python", {"tests/a.py": "def f():\n" + "    x = 1\n" * 60}, "f() has 61 lines"),
]

if __name__ == "__main__":
    sys.exit(lintlib.main(check, CASES))
