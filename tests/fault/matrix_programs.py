# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Runs one GoogleTest program and says what its tests did, what they measured, and what it left behind."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

FOLDERS = ("/dev/shm", "/tmp", "/dev/mqueue")
OF_GTEST = {"name", "file", "line", "status", "result", "timestamp", "time", "classname", "value_param", "type_param", "failures",
            "skipped"}
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Test:
    name: str
    status: str  # pass, fail, skip
    seconds: float = 0
    reason: str = ""
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Outcome:
    tests: list[Test] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of the program as a whole; none is good
    missing: bool = False
    output: str = ""


def adopt_orphans() -> None:
    """Processes that a program leaves become children of this one, so that none is overlooked."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children() -> set[int]:
    return {int(pid) for pid in Path("/proc/self/task", str(os.getpid()), "children").read_text(encoding="ascii").split()}


def entries() -> set[str]:
    """What a process of this library could have left in a file system. Other programs' files are not ours to count."""
    found = set()
    for folder in FOLDERS:
        if os.path.isdir(folder):
            found |= {os.path.join(folder, name) for name in os.listdir(folder) if "ulysses" in name}
    return found


def abstract_sockets() -> dict[str, str]:
    """Name to inode."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
        fields = [line.split() for line in table]
    return {each[7]: each[6] for each in fields if len(each) > 7 and each[7].startswith("@ulysses-")}


def held_by_others(inode: str, ours: set[int]) -> bool:
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) in ours:
            continue
        try:
            if any(os.readlink(each) == f"socket:[{inode}]" for each in (process / "fd").iterdir()):
                return True
        except OSError:
            continue
    return False


def left_behind(files: set[str], sockets: dict[str, str], pids: set[int]) -> list[str]:
    """Waits a little for what is on its way out; ends processes that stay."""
    for _ in range(40):
        orphans = children() - pids
        for pid in orphans:
            os.waitpid(pid, os.WNOHANG)
        orphans = children() - pids
        strange = {name: inode for name, inode in abstract_sockets().items() if name not in sockets}
        strange = {name: inode for name, inode in strange.items() if not held_by_others(inode, orphans)}
        fresh = entries() - files
        if not (orphans or strange or fresh):
            return []
        time.sleep(0.05)
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return [f"left {what} {each}" for what, all_of in (("file", fresh), ("socket", strange), ("process", orphans)) for each in sorted(all_of)]


def number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def read_test(entry: dict) -> Test:
    name = f"{entry['classname']}.{entry['name']}"
    figures = {key: value for key, text in entry.items() if key not in OF_GTEST and (value := number(text)) is not None}
    seconds = number(str(entry.get("time", "0")).rstrip("s")) or 0
    if entry.get("failures"):
        return Test(name, "fail", seconds, entry["failures"][0]["failure"].splitlines()[-1].strip(), figures)
    if entry.get("result") == "SKIPPED":
        reasons = [each.get("message", "") for each in entry.get("skipped", [])]
        return Test(name, "skip", seconds, " ".join("; ".join(reasons).split()) or "it says no reason", figures)
    done = entry.get("status") == "RUN" and entry.get("result") == "COMPLETED"
    return Test(name, "pass" if done else "fail", seconds, "" if done else "did not run", figures)


def read_tests(report: Path) -> list[Test]:
    if not report.is_file():
        return []
    suites = json.loads(report.read_text(encoding="utf-8")).get("testsuites", [])
    return [read_test(entry) for suite in suites for entry in suite.get("testsuite", [])]


def run(program: Path, scratch: Path, timeout: float, extra: list[str]) -> Outcome:
    """`timeout` in seconds; `extra` are arguments for the program."""
    if not program.is_file():
        return Outcome(missing=True, problems=["program missing"])
    report = scratch / f"{program.name}.json"
    report.unlink(missing_ok=True)
    before = entries(), abstract_sockets(), children()
    outcome = Outcome()
    try:
        # pylint: disable-next=subprocess-run-check
        done = subprocess.run([str(program), f"--gtest_output=json:{report}", *extra], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=timeout, text=True, errors="replace")
        outcome.output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        outcome.output = (error.stdout or b"").decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        status = None
        outcome.problems.append(f"did not end within {timeout:.0f} s")
    outcome.tests = read_tests(report)
    failed = any(test.status == "fail" for test in outcome.tests)
    if status not in (0, None) and not (status == 1 and failed):
        outcome.problems.append(f"died of signal {-status}" if status < 0 else f"exited with code {status}")
    if status == 0 and not outcome.tests:
        outcome.problems.append("told of no test")
    outcome.problems += left_behind(*before)
    return outcome
