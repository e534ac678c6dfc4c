#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""environment.py ULYSSES_INFO: docs/environment.md holds the table that the library prints. --self-test shows it red."""

import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "environment.md"


def difference(table: str, page: str) -> str | None:
    """The first line of the table that the page lacks."""
    return next((line for line in table.splitlines() if line not in page.splitlines()), None)


def main(argument: str) -> int:
    if argument == "--self-test":
        return 0 if difference("| `A` | 2 |", "| `A` | 1 |") and not difference("| `A` |", "x\n| `A` |") else 1
    table = subprocess.run([argument, "--env"], check=True, capture_output=True, text=True).stdout
    missing = difference(table, PAGE.read_text(encoding="utf-8"))
    if missing is not None:
        print(f"docs/environment.md lacks: {missing}\nput the output of 'ulysses_info --env' there")
    return 0 if missing is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
