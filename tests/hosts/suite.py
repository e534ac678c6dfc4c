# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the unittest cases of a test file that needs hosts. 0: all held, 1: one did not, 77: no hosts here, with the reason.

The last lines count as GoogleTest's do, for tests/setup/count.py.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import unittest
from pathlib import Path
from typing import Any

import network

OUTPUT = "--gtest_output=json:"


def name_of(test: unittest.TestCase) -> str:
    """Of the test, for a part of it (subTest) too."""
    return getattr(test, "test_case", test).id()


def count(result: unittest.TestResult) -> int:
    failed = len({name_of(test) for test, _ in [*result.failures, *result.errors]} | {name_of(test) for test in result.unexpectedSuccesses})
    skipped = len({name_of(test) for test, _ in result.skipped})
    print(f"[  PASSED  ] {max(result.testsRun - failed - skipped, 0)} tests.")
    if skipped:
        print(f"[  SKIPPED ] {skipped} tests, listed above.")
    if failed or not result.testsRun:
        print(f"\n {max(failed, 1)} FAILED TESTS")
        return 1
    return 0


class Timed(unittest.TextTestResult):
    """Keeps how long each test took and what it measured (its attribute `figures`)."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.began = 0.0
        self.told: dict[str, dict[str, object]] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test: unittest.TestCase) -> None:
        self.told[name_of(test)] = {"time": f"{time.monotonic() - self.began:.3f}s", **getattr(test, "figures", {})}
        super().stopTest(test)

    def entry(self, name: str) -> dict[str, object]:
        """As GoogleTest reports a test."""
        classname, test = name.split(".")[-2:]
        entry = {"name": test, "classname": classname, "status": "RUN", "result": "COMPLETED", **self.told[name]}
        if wrong := [text for each, text in [*self.failures, *self.errors] if name_of(each) == name]:
            entry["failures"] = [{"failure": text} for text in wrong]
        elif reasons := [text for each, text in self.skipped if name_of(each) == name]:
            entry |= {"result": "SKIPPED", "skipped": [{"message": text} for text in reasons]}
        return entry


def skip_all(tests: unittest.TestSuite, reason: str) -> None:
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            skip_all(test, reason)
        else:
            setattr(type(test), test.id().split(".")[-1], unittest.skip(reason)(lambda _: None))


def main(arguments: list[str]) -> int:
    """The arguments choose tests, as unittest takes them: CASE or CASE.test. With --gtest_output=json:FILE they are reported there
    as GoogleTest does, for tests/fault/matrix.py, and are skipped one by one where there are no hosts."""
    outputs = [word.removeprefix(OUTPUT) for word in arguments if word.startswith(OUTPUT)]
    reason = network.supported()
    if reason and not outputs:
        print(f"skipped: {reason}")
        return 77
    # A timeout of Meson's sends SIGTERM: leave by way of every `with`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [f"__main__.{word}" for word in arguments if not word.startswith(OUTPUT)]
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(chosen) if chosen else loader.loadTestsFromModule(sys.modules["__main__"])
    if reason:
        skip_all(tests, reason)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Timed).run(tests)
    for output in outputs:
        report = {"testsuites": [{"testsuite": [result.entry(name) for name in result.told]}]}
        Path(output).write_text(json.dumps(report), encoding="utf-8")
    return count(result)
