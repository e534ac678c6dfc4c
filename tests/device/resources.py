#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Holds each GPU kernel, on each architecture, to what its launch counts on: no spills, and registers up to a cap.

    resources.py REPORT [KERNEL=REGISTERS...]     what the compiler said (build/.../resources.txt); without more, of the exchange
    resources.py --self-test

Exit status 1: a kernel spills, uses too many registers, or is not there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# 65536 registers of a multiprocessor / 256 threads of a block / blocks that __launch_bounds__ in exchange.cu asks for,
# rounded down to the 8 that registers are given out by
CAPS = {"pushKernel": 80, "pushAndSumKernel": 128, "copyKernel": 80, "handOverKernel": 80}
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(sm_\d+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")


def kernel_of(symbol: str, caps: dict[str, int]) -> str:
    """The kernel that a mangled name is of: names carry their length in front."""
    return next((name for name in caps if f"{len(name)}{name}" in symbol), symbol)


def complaints(report: str, caps: dict[str, int]) -> list[str]:
    found: set[tuple[str, str]] = set()
    bad: list[str] = []
    where = None
    for line in report.splitlines():
        if match := ENTRY.search(line):
            where = (kernel_of(match[1], caps), match[2])
            found.add(where)
        elif where and (match := SPILLS.search(line)) and any(int(each) for each in match.groups()):
            bad.append(f"{where[0]} on {where[1]}: {match[0]}")
        elif where and (match := REGISTERS.search(line)) and int(match[1]) > caps.get(where[0], 0):
            bad.append(f"{where[0]} on {where[1]}: {match[1]} registers, at most {caps.get(where[0], 0)}")
    bad += [f"{kernel} on {arch}: not in the report" for kernel in caps for arch in ARCHITECTURES if (kernel, arch) not in found]
    return bad


def sample(registers: int = 80, spills: int = 0, archs: tuple[str, ...] = ARCHITECTURES) -> str:
    return "".join(
        f"ptxas info    : Compiling entry function '_ZN7ulysses{len(name)}{name}E' for '{arch}'\n"
        f"    0 bytes stack frame, {spills} bytes spill stores, 0 bytes spill loads\nptxas info    : Used {registers} registers\n"
        for name in CAPS for arch in archs)


def self_test() -> int:
    cases = [("good", sample(), 0), ("spills", sample(spills=4), 12), ("registers", sample(registers=81), 9),
             ("an architecture is gone", sample(archs=("sm_80", "sm_90")), 4), ("nothing", "", 12)]
    wrong = [f"{name}: {complaints(report, CAPS)}" for name, report, count in cases if len(complaints(report, CAPS)) != count]
    if len(complaints(sample(), {"pushKernel": 79})) != 12:  # three over the cap, nine that nobody capped
        wrong.append("own caps")
    print("\n".join(wrong) or "self-test passed")
    return 1 if wrong else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    caps = {name: int(most) for name, most in (each.split("=") for each in sys.argv[2:])} or CAPS
    bad = complaints(Path(sys.argv[1]).read_text(encoding="utf-8"), caps)
    print("\n".join(bad) or f"{len(caps)} kernels on {', '.join(ARCHITECTURES)}: no spills, registers within " + str(caps))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
