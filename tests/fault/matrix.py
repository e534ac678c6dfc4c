#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the fault matrix: the programs of tests/fault in a build directory, each once per run, and reports by row.

    matrix.py BUILD                 all rows; BUILD/fault_matrix.json and BUILD/fault_matrix.md are written
    matrix.py BUILD --runs 20       each program twenty times; figures over all of them
    matrix.py BUILD --rows C1,C6    only the programs that show these rows
    matrix.py --list                the rows
    matrix.py --self-test           shows that failures, leaks and missing programs are found

The last lines count tests as GoogleTest does (a test that failed in any run has failed). Exit status 1: a row failed.
"""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matrix_programs as programs
from matrix_rows import AWAITED, ROWS, Row

SCHEMA = 1
HERE = Path(__file__).resolve().parent


def program_of(test: str) -> str:
    return test.split(":", 1)[0]


def names_of(rows: Sequence[Row]) -> list[str]:
    return sorted({program_of(test) for row in rows for test in row.tests})


class Matrix:
    """All outcomes so far, by program."""

    def __init__(self, rows: Sequence[Row], awaited: Sequence[str] = AWAITED) -> None:
        self.rows = rows
        self.awaited = awaited
        self.outcomes: dict[str, list[programs.Outcome]] = {name: [] for name in names_of(rows)}

    def run(self, folder: Path, scratch: Path, timeout: float, extra: list[str], verbose: bool = True) -> None:
        for name, outcomes in self.outcomes.items():
            outcome = programs.run(folder / name, scratch, timeout, extra)
            outcomes.append(outcome)
            if not verbose or (outcome.missing and name in self.awaited):
                continue
            bad = [f"{test.name}: {test.reason}" for test in outcome.tests if test.status == "fail"] + outcome.problems
            count = sum(test.status == "pass" for test in outcome.tests)
            print(f"{name}: {count} of {len(outcome.tests)} passed" + "".join(f"\n  {each}" for each in bad), flush=True)
            if bad and outcome.output:
                print("\n".join("  | " + line for line in outcome.output.splitlines()[-60:]), flush=True)

    def tests_of(self, row: Row) -> list[programs.Test]:
        found = []
        for each in row.tests:
            name, pattern = each.split(":", 1)
            for outcome in self.outcomes[name]:
                found += [test for test in outcome.tests if fnmatch.fnmatchcase(test.name, pattern)]
        return found

    def judge(self, row: Row) -> dict:
        tests = self.tests_of(row)
        result = {"id": row.id, "injected": row.injected, "expected": row.expected, "tests": list(row.tests), "status": "not_run",
                  "reason": row.not_run, "runs": 0, "failures": 0, "seconds": 0.0, "figures": {}}
        if row.not_run:
            return result
        problems, absent = self.problems_of(row)
        result["runs"] = max(len(self.outcomes[program_of(each)]) for each in row.tests)
        result["seconds"] = round(sum(test.seconds for test in tests), 3)
        result["figures"] = figures_of(tests)
        failed = [f"{test.name}: {test.reason}" for test in tests if test.status == "fail"]
        skipped = [f"{test.name}: {test.reason}" for test in tests if test.status == "skip"]
        result["failures"] = len(failed)
        if problems or failed:
            status, reasons = "fail", problems + failed
        elif not any(test.status == "pass" for test in tests):
            status, reasons = ("skip", skipped) if skipped else ("not_run", absent)
        else:
            status, reasons = "partial" if absent else "pass", skipped + absent
        result["status"], result["reason"] = status, "; ".join(dict.fromkeys(reasons))
        return result

    def problems_of(self, row: Row) -> tuple[list[str], list[str]]:
        """What is wrong with the programs of a row; which are awaited."""
        problems, absent = [], []
        for each in row.tests:
            name, pattern = each.split(":", 1)
            if name in self.awaited and all(outcome.missing for outcome in self.outcomes[name]):
                absent.append(f"{name}: program missing")
                continue
            for outcome in self.outcomes[name]:
                problems += [f"{name}: {problem}" for problem in outcome.problems]
                if not outcome.missing and not any(fnmatch.fnmatchcase(test.name, pattern) for test in outcome.tests):
                    problems.append(f"{name}: no test {pattern} ran")
        return problems, absent

    def counts(self) -> tuple[int, int, int]:
        """Tests that passed in all runs, failed in any, were skipped; a program's own problem counts as a failure."""
        worst: dict[str, str] = {}
        failures = 0
        for name, outcomes in self.outcomes.items():
            for outcome in outcomes:
                if outcome.problems and not (outcome.missing and name in self.awaited):
                    failures += 1
                for test in outcome.tests:
                    key = f"{name}:{test.name}"
                    worst[key] = max(worst.get(key, "pass"), test.status, key=("pass", "skip", "fail").index)
        values = list(worst.values())
        return values.count("pass"), values.count("fail") + failures, values.count("skip")


def figures_of(tests: Sequence[programs.Test]) -> dict[str, dict[str, float]]:
    """Over all runs: the median, and the worst, which is the largest."""
    values: dict[str, list[float]] = {}
    for test in tests:
        for name, value in test.figures.items():
            values.setdefault(name, []).append(value)
    return {name: {"median": round(statistics.median(all_of), 3), "max": round(max(all_of), 3), "values": len(all_of)}
            for name, all_of in sorted(values.items())}


def machine() -> dict:
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(pages / 2**30, 1), "kernel": platform.release(),
            "load_before": round(os.getloadavg()[0], 1)}


def version() -> str:
    return subprocess.run([str(HERE.parent / "lint" / "version.sh")], check=True, capture_output=True, text=True).stdout.strip()


def table(report: dict) -> str:
    where = report["machine"]
    status = {name: sum(row["status"] == name for row in report["rows"]) for name in ("pass", "partial", "fail", "skip", "not_run")}
    lines = ["# The fault matrix, as measured", "",
             f"Made by `tests/fault/matrix.py` on {report['date']}, library {report['library']}, {report['runs']} run(s): "
             + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in status.items()) + ".", "",
             f"Machine: {where['cpu']}, {where['cores']} cores, {where['memory_gib']} GiB, Linux {where['kernel']}, load before "
             f"{where['load_before']}. [testing.md](testing.md) says what each row's words mean; milliseconds unless said otherwise.", "",
             "| row | injected | expected | result | figures (median / worst of all runs) | remarks |", "|---|---|---|---|---|---|"]
    for row in report["rows"]:
        figures = ", ".join(f"{name} {value['median']:g} / {value['max']:g}" for name, value in row["figures"].items())
        cells = [row["id"], row["injected"], row["expected"], row["status"].replace("_", " "), figures, row["reason"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def write(matrix: Matrix, runs: int, where: dict, build: Path) -> list[dict]:
    report = {"schema": SCHEMA, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "library": version(),
              "machine": where, "runs": runs, "rows": [matrix.judge(row) for row in matrix.rows]}
    (build / "fault_matrix.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (build / "fault_matrix.md").write_text(table(report), encoding="utf-8")
    return report["rows"]


def summarize(matrix: Matrix, rows: Sequence[dict]) -> int:
    for row in rows:
        if row["status"] in ("fail", "skip"):
            print(f"row {row['id']} {row['status']}: {row['reason']}")
    passed, failed, skipped = matrix.counts()
    print(f"[  PASSED  ] {passed} tests.")
    if skipped:
        print(f"[  SKIPPED ] {skipped} tests, listed above.")
    bad = sum(row["status"] == "fail" for row in rows)
    if bad or failed:
        print(f"\n {max(failed, 1)} FAILED TESTS")
    return 1 if bad or failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", type=Path, help="Meson build directory")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rows", type=lambda text: text.split(","), default=[])
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one program")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if options.self_test:
        import matrix_self_test  # pylint: disable=import-outside-toplevel
        return matrix_self_test.main()
    rows = [row for row in ROWS if not options.rows or row.id in options.rows]
    unknown = set(options.rows) - {row.id for row in ROWS}
    if unknown:
        sys.exit(f"no row {', '.join(sorted(unknown))}; --list names them")
    if options.list:
        for row in rows:
            print(f"{row.id:4} {row.injected} -> {row.expected}" + (f" (not run: {row.not_run})" if row.not_run else ""))
        return 0
    if options.build is None or options.runs < 1:
        sys.exit("matrix.py: want a build directory and --runs of at least 1; --help says more")
    programs.adopt_orphans()
    matrix, where = Matrix(rows), machine()
    with tempfile.TemporaryDirectory(dir=options.build) as scratch:
        for _ in range(options.runs):
            matrix.run(options.build / "tests" / "fault", Path(scratch), options.timeout, [])
    return summarize(matrix, write(matrix, options.runs, where, options.build))


if __name__ == "__main__":
    sys.exit(main())
