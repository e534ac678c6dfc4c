#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""perf_test.py ULYSSES_PERF: ulysses_perf attention runs, checks itself, writes its JSON, and names bad input."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = [
    "--ranks 1 --seq 100 --heads 2 --head-dim 16 --dtype f32 --backward",
    "--ranks 3 --seq 90 --heads 6 --kv-heads 2 --head-dim 16 --v-head-dim 8 --dtype bf16 --causal --backward",
    "--ranks 2 --tokens 70,31 --heads 4 --head-dim 8 --dtype f16 --window 20,5 --backward --layout bhsd --memory plain",
    "--ranks 2 --seq 1024 --heads 16 --head-dim 64 --dtype f32",
    "--ranks 2 --seq 128 --heads 8 --head-dim 16 --dtype f32 --head-groups 4 --order zigzag --causal --threads 2",
]
KEYS = {"op", "ranks", "threads", "head_groups", "tensor_bytes", "workspace_bytes", "peak_bytes", "forward", "errors", "compare"}
BAD = {
    "--dtype i8": "attention takes f32, f16 and bf16",
    "--window 5": "--window 5: want two numbers",
    "-b 64K": "-b",
    "--compare floor": "torch, deepspeed",
    "--ranks 3 --heads 4 --head-groups 2": "headGroups=2",
}


def run(program: str, arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([program, *arguments.split()], capture_output=True, text=True, timeout=120)


def check_run(program: str, arguments: str, directory: str) -> list[str]:
    file = Path(directory) / "result.json"
    done = run(program, f"attention {arguments} -n 2 --json {file}")
    if done.returncode:
        return [f"{arguments}: exit code {done.returncode}:\n{done.stdout}{done.stderr}"]
    row = json.loads(file.read_text(encoding="utf-8"))["results"][0]
    wanted = {"O", "LSE"} | ({"dQ", "dK", "dV"} if "--backward" in arguments else set())
    findings = [f"{arguments}: no {key} in the JSON" for key in sorted(KEYS - row.keys())]
    if set(row["errors"]) != wanted:
        findings.append(f"{arguments}: checked {sorted(row['errors'])}, want {sorted(wanted)}")
    if "--head-groups" not in arguments and row["head_groups"] != 1:
        findings.append(f"{arguments}: {row['head_groups']} head groups, want 1 where ranks share memory")
    if not row["forward"]["time_us"]["p50"] > 0 or not row["forward"]["tflop_per_s"] > 0:
        findings.append(f"{arguments}: no times")
    return findings


def main(program: str) -> int:
    findings = []
    with tempfile.TemporaryDirectory() as directory:
        for arguments in RUNS:
            findings += check_run(program, arguments, directory)
    for arguments, text in BAD.items():
        done = run(program, f"attention --seq 24 {arguments}")
        if done.returncode == 0 or text not in done.stderr:
            findings.append(f"{arguments}: exit code {done.returncode}, '{text}' is not in:\n{done.stderr}")
    missing = run(program, "attention --ranks 1 --seq 32 --heads 1 -n 2 --compare torch --python /nowhere/python")
    if missing.returncode or "not there" not in missing.stdout:
        findings.append(f"a missing Python: {missing.returncode}\n{missing.stdout}{missing.stderr}")
    print("\n".join(findings) or f"ok: {len(RUNS)} runs, {len(BAD)} bad calls")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
