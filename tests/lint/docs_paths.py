#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Every repository path that a .md file names in backticks, and every relative link in it, exists.

A backticked word is a repository path when it starts with "./", with a top-level folder and "/", or is a bare *.md.
`src/path/{self,shm}` and `perf/*.cc` are expanded; `src/plan/plan.h:12` and `./perf/run --help` are cut; words with
<...>, ... or NNNN are placeholders and are left alone, and so is what is built (build/).
"""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import lintlib

FENCE = re.compile(r"^```.*?^```[^\n]*$", re.MULTILINE | re.DOTALL)
BACKTICKED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACEHOLDER = re.compile(r"[<>$]|\.\.\.|NNNN")
BRACES = re.compile(r"\{([^{}]*)\}")
TOP_LEVEL = {"src", "include", "plugin", "perf", "tests", "docs", ".ci"}


def expand(word: str) -> list[str]:
    match = BRACES.search(word)
    if not match:
        return [word]
    return [path for option in match[1].split(",")
            for path in expand(word[:match.start()] + option.strip() + word[match.end():])]


def as_path(code: str) -> str | None:
    """The repository path that this backticked text begins with, if it is one."""
    text = BRACES.sub(lambda match: match[0].replace(" ", ""), code.strip())
    word = re.sub(r"[:#]\d+(-\d+)?$", "", text.split(" ")[0]).rstrip(",;:")
    if not word or PLACEHOLDER.search(word):
        return None
    in_repository = word.startswith("./") or word.partition("/")[0] in TOP_LEVEL and "/" in word
    bare_doc = "/" not in word and word.endswith(".md")
    if not in_repository and not bare_doc:
        return None
    path = word.removeprefix("./").rstrip("/")
    return None if not path or path.partition("/")[0].startswith("build") else path


def exists(known: set[str], path: str) -> bool:
    return path in known or ("*" in path and any(fnmatch(name, path) for name in known))


def check_doc(root: Path, name: str, known: set[str]) -> list[str]:
    text = FENCE.sub(lambda match: "\n" * match[0].count("\n"), lintlib.read(root, name))
    folder = Path(name).parent
    findings = []

    def report(position: int, what: str) -> None:
        findings.append(f"{name}:{text.count(chr(10), 0, position) + 1}: {what} does not exist")

    for match in BACKTICKED.finditer(text):
        word = as_path(match[1])
        for path in expand(word) if word else []:
            near = (folder / path).as_posix()
            if not exists(known, path) and not ("/" not in path and exists(known, near)):
                report(match.start(), path)
    for match in LINK.finditer(text):
        target = match[1].partition("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            if not (root / folder / target).exists():
                report(match.start(), f"link {target}")
    return findings


def check(root: Path, files: list[str]) -> list[str]:
    known = set(files) | {parent.as_posix() for name in files for parent in Path(name).parents}
    return [finding for name in files if name.endswith(".md") for finding in check_doc(root, name, known)]


GOOD = "`src/a.h:12` `./perf/run --help` `src/{a,b}.h` `src/*.h` `docs/` `docs/design/NNNN-x.md` `build/x` `a/b` [l](perf/run)\n"
CASES = [
    lintlib.Case("good", {"README.md": GOOD + "```\n`src/gone.h`\n```\n", "src/a.h": "", "src/b.h": "", "perf/run": "",
                          "docs/c.md": "`d.md` `README.md` [up](../README.md#x)\n", "docs/d.md": ""}, None),
    lintlib.Case("gone", {"README.md": "one\nsee `src/gone.h`\n"}, "README.md:2: src/gone.h does not exist"),
    lintlib.Case("gone in braces", {"README.md": "`src/{a,b}.h`\n", "src/a.h": ""}, "src/b.h does not exist"),
    lintlib.Case("no match", {"README.md": "`perf/*.cc`\n", "perf/run": ""}, "perf/*.cc does not exist"),
    lintlib.Case("dot folder", {"README.md": "`.ci/run`\n"}, ".ci/run does not exist"),
    lintlib.Case("bare doc", {"docs/a.md": "`gone.md`\n"}, "gone.md does not exist"),
    lintlib.Case("link", {"docs/a.md": "[x](b.md)\n"}, "link b.md does not exist"),
]

if __name__ == "__main__":
    sys.exit(lintlib.main(check, CASES))
