#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Count what passed, failed and was skipped in a testlog.json of meson test: `count.py FILE STATUS` prints three numbers, and
`count.py --failures FILE` the names of those that failed, each with the lines of its output that say so and its last ones.

A program of GoogleTest or pytest counts as its cases, any other test as one. A test that did not end well counts at least one failure
whatever it printed, and so does a run whose STATUS (of meson test) is not 0. --self-test shows the counting right.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable

PASSED = re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.MULTILINE)
FAILED = re.compile(r"^ ?(\d+) FAILED TESTS?$", re.MULTILINE)
# "3 failed, 64 passed, 1 skipped in 27.26s (0:01:30)", the last line of pytest, with or without its rule of "="
PYTEST = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b", re.MULTILINE)
TELLING = re.compile(r"FAILED|Failure|^FAIL|^ERROR|Sanitizer|Assertion|Traceback")
SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) tests?[.,]", re.MULTILINE)


def last_number(pattern: re.Pattern[str], text: str) -> int:
    """Of the last match: a program's own summary comes after those of programs that it started."""
    numbers = pattern.findall(text)
    return int(numbers[-1]) if numbers else 0


def pytest_cases(output: str) -> list[int]:
    lines = PYTEST.findall(output)
    words = dict(reversed(part.split(" ")) for part in lines[-1].split(", ")) if lines else {}
    failed = int(words.get("failed", 0)) + int(words.get("errors", words.get("error", 0)))
    return [int(words.get("passed", 0)), failed, int(words.get("skipped", 0))]


def count_test(result: str, output: str) -> tuple[int, int, int]:
    if result == "SKIP":
        return 0, 0, 1
    good = result in ("OK", "EXPECTEDFAIL")
    cases = [last_number(pattern, output) for pattern in (PASSED, FAILED, SKIPPED)]
    if not any(cases):
        cases = pytest_cases(output)
    if not any(cases):
        cases[0 if good else 1] = 1
    if not good:
        cases[1] = max(cases[1], 1)
    return cases[0], cases[1], cases[2]


def count(lines: Iterable[str], status: int) -> tuple[int, int, int]:
    totals = [0, 0, 0]
    for line in lines:
        test = json.loads(line)
        for index, number in enumerate(count_test(test["result"], test.get("stdout") or "")):
            totals[index] += number
    if status and not totals[1]:
        totals[1] = 1
    return totals[0], totals[1], totals[2]


def failures(lines: Iterable[str]) -> list[str]:
    """Few enough lines to be read below a long log."""
    most_lines, most_width = 15, 300
    shown = []
    for line in lines:
        test = json.loads(line)
        if test["result"] in ("OK", "EXPECTEDFAIL", "SKIP"):
            continue
        output = [row[:most_width] for row in ((test.get("stdout") or "") + "\n" + (test.get("stderr") or "")).splitlines() if row.strip()]
        telling = [row for row in output if TELLING.search(row)][:most_lines]
        shown.append(f"{test['result']}: {test['name']}")
        shown += [f"  {row}" for row in telling + ["..."] + output[-most_lines:]]
    return shown


def self_test() -> int:
    def log(result: str, stdout: str) -> str:
        return json.dumps({"name": "x", "result": result, "stdout": stdout})

    summary = "[  PASSED  ] 5 tests.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.b\n"
    red = "[  PASSED  ] 5 tests.\n[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] A.b\n[  FAILED  ] A.c\n\n 2 FAILED TESTS\n"
    brief = "[==========] 3 tests from 1 test suite ran.\n[  PASSED  ] 1 test.\n[  SKIPPED ] 1 test.\n\n 1 FAILED TEST\n"
    expected = [
        ([log("OK", "")], 0, (1, 0, 0)),
        ([log("OK", summary), log("OK", "fine")], 0, (6, 0, 1)),
        ([log("SKIP", "no GPU")], 0, (0, 0, 1)),
        ([log("FAIL", red)], 1, (5, 2, 0)),
        ([log("FAIL", brief)], 1, (1, 1, 1)),  # --gtest_brief
        ([log("FAIL", summary)], 1, (5, 1, 1)),  # crashed after its summary
        ([log("TIMEOUT", "")], 1, (0, 1, 0)),
        ([log("OK", "[  PASSED  ] 1 test.\n" + summary)], 0, (5, 0, 1)),  # a child printed the first one
        ([log("OK", "...\n64 passed, 3 deselected in 90.30s (0:01:30)\n")], 0, (64, 0, 0)),
        ([log("FAIL", "== 2 failed, 5 passed, 1 skipped, 1 error in 3.00s ==\n")], 1, (5, 3, 1)),
        ([], 1, (0, 1, 0)),
    ]
    wrong = [(lines, got) for lines, status, want in expected if (got := count(lines, status)) != want]
    for lines, got in wrong:
        print(f"count.py: self-test: {lines} counted as {got}")
    red_log = [log("OK", "fine"), log("FAIL", "start\n[  FAILED  ] A.b\nend\n")]
    if failures(red_log) != ["FAIL: x", "  [  FAILED  ] A.b", "  ...", "  start", "  [  FAILED  ] A.b", "  end"]:
        print(f"count.py: self-test: failures shown as {failures(red_log)}")
        return 1
    return 1 if wrong else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1] == "--failures":
        with open(sys.argv[2], encoding="utf-8") as log:
            print("\n".join(failures(log)))
        return 0
    with open(sys.argv[1], encoding="utf-8") as log:
        print(*count(log, int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
