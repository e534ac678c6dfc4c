# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Shows matrix.py red: with programs that fail, leak, crash, are missing, or run nothing of what a row names."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import matrix
import matrix_programs as programs
from matrix_rows import Row

# A program that behaves as one of GoogleTest: BODY decides what it does besides.
PROGRAM = """#!/usr/bin/env python3
import json, os, subprocess, sys, time
report = [each for each in sys.argv if each.startswith("--gtest_output=json:")][0].split(":", 1)[1]
test = {"name": "a", "classname": "T", "status": "RUN", "result": "COMPLETED", "time": "0.5s", "detect_ms_p99": "7.5"}
status = 0
BODY
json.dump({"testsuites": [{"testsuite": [test]}]}, open(report, "w"))
sys.exit(status)
"""

LEFT = f"/dev/shm/ulysses-self-test-{os.getpid()}"
# what the program does besides, the pattern its row names, the status and a word of the reason that must come out
CASES = {
    "good": ("", "T.a", "pass", ""),
    "failing": ("test['failures'] = [{'failure': 'x\\n1 is not 2'}]; status = 1", "T.a", "fail", "1 is not 2"),
    "skipping": ("test['result'] = 'SKIPPED'; test['skipped'] = [{'message': 'no cgroup'}]", "T.a", "skip", "no cgroup"),
    "leaking": (f"open('{LEFT}', 'w')", "T.a", "fail", LEFT),
    "lingering": ("subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3)", "T.a", "fail", "left process"),
    "listening": ("import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0ulysses-self-test'); s.listen(); s.set_inheritable(True); "
                  "subprocess.Popen(['sleep', '60'], close_fds=False, stdout=-3, stderr=-3)", "T.a", "fail", "left socket"),
    "crashing": ("os.abort()", "T.a", "fail", "died of signal 6"),
    "late_crash": ("status = 3", "T.a", "fail", "exited with code 3"),
    "hanging": ("time.sleep(60)", "T.a", "fail", "did not end"),
    "unnamed": ("", "T.b", "fail", "no test T.b ran"),
    "silent": ("sys.exit(0)", "T.a", "fail", "told of no test"),
    "missing": (None, "T.a", "fail", "program missing"),
    "awaited": (None, "T.a", "not_run", "program missing"),
}


def judge(name: str, folder: Path) -> tuple[dict, tuple[int, int, int]]:
    body, pattern, _, _ = CASES[name]
    if body is not None:
        program = folder / name
        program.write_text(PROGRAM.replace("BODY", body), encoding="utf-8")
        program.chmod(0o755)
    one = matrix.Matrix([Row("X1", "x", "y", (f"{name}:{pattern}",))], awaited=("awaited",))
    one.run(folder, folder, timeout=5, extra=[], verbose=False)
    return one.judge(one.rows[0]), one.counts()


def main() -> int:
    programs.adopt_orphans()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, _, status, word) in CASES.items():
            row, counts = judge(name, Path(folder))
            if row["status"] != status or word not in row["reason"] or (counts[1] > 0) != (status == "fail" and name != "unnamed"):
                wrong.append(f"{name}: got {row['status']} ({row['reason']}), counted {counts}; want {status} ({word})")
            Path(LEFT).unlink(missing_ok=True)
            if name == "good" and row["figures"].get("detect_ms_p99", {}).get("max") != 7.5:
                wrong.append(f"good: figures {row['figures']}")
    for each in wrong:
        print(f"matrix.py: self-test: {each}")
    return 1 if wrong else 0
