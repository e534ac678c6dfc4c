#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""ulysses_perf with TRACE writes, for each operation and rank, its phases in order; and what INFO promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PHASE = re.compile(r"TRACE EXCHANGE rank (\d)/2 comm \w+: scatter_heads op (\d+) (\w+) after ([\d.]+) us, receives (\d+) bytes")
PROMISED = [
    "VERSION INIT libulysses_coll ",
    "BOOTSTRAP communicator .*: rendezvous at 127.0.0.1:\\d+ \\(interface lo\\)",
    "BOOTSTRAP communicator .*: rank 1 of 2 joined \\(host .*, pid \\d+\\)",
    "INIT rank 0/2 comm \\w+: communicator made",
    "ENV rank 0/2 comm \\w+: timeout_ms=54321 \\(ULYSSES_TIMEOUT_MS\\), init_timeout_ms=\\d+ \\((default|config)\\)",
    "PATH rank 0/2 comm \\w+: to rank 1 by shm: same host",
    "PLAN rank 1: plan 1 made, scatter_heads sequence 64 .*: receives 32768 bytes",
    "PATH rank 1: staging window of \\d+ bytes",
    "WARN ENV environment variable ULYSSES_DEBUGS is not known; is ULYSSES_DEBUG meant\\?",
]


def log_of(program: str, folder: str) -> list[str]:
    environment = dict(os.environ, ULYSSES_DEBUG="TRACE", ULYSSES_DEBUG_FILE=f"{folder}/%h.%p", ULYSSES_DEBUGS="1",
                       ULYSSES_TIMEOUT_MS="54321")
    command = [program, "scatter_heads", "--ranks", "2", "--seq", "64", "--heads", "4", "--memory", "plain", "-n", "3"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=100)
    files = sorted(Path(folder).iterdir())
    if len(files) < 3:
        raise ValueError(f"want a file each for the tool and two ranks, got {files}")
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def problems(lines: list[str]) -> list[str]:
    found = [f"no line like: {text}" for text in PROMISED if not any(re.search(text, line) for line in lines)]
    phases: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for match in filter(None, map(PHASE.search, lines)):
        phases.setdefault((match[1], match[2]), []).append((match[3], float(match[4])))
    if len(phases) < 6:
        found.append(f"{len(phases)} operations are traced, want 3 or more at 2 ranks")
    for key, steps in phases.items():
        if [name for name, _ in steps] != ["announced", "agreed", "moved", "closed"]:
            found.append(f"rank {key[0]} op {key[1]}: {steps}")
        if sorted(us for _, us in steps) != [us for _, us in steps]:
            found.append(f"rank {key[0]} op {key[1]}: times do not ascend: {steps}")
    return found


def main() -> int:
    if not problems([]):
        return 1  # a check that cannot fail
    with tempfile.TemporaryDirectory() as folder:
        found = problems(log_of(sys.argv[1], folder))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
