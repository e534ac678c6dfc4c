#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""One exchange between two hosts, which are namespaces of this machine, beside what else could move it and the physical limit.

All programs run in the same two hosts, in turns: A B C, C B A, A B C. Needs root; perf/between_hosts.sh installs and builds
what it needs, then calls this. `sockets` and `openmpi` are programs of the peers folder, given by path.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import sys
from pathlib import Path

from between_hosts_rows import ELEMENT_BYTES, PHYSICAL, ROWS, Bench, Failed, Hosts, Shape, Time

import network  # found by between_hosts_rows


class Table:
    def __init__(self, shape: Shape, gbit: float | None) -> None:
        self.shape, self.gbit = shape, gbit
        self.times: dict[str, list[Time]] = {}
        self.failures: dict[str, list[str]] = {}

    def us(self, name: str) -> float | None:
        return statistics.median(time.us for time in self.times[name]) if name in self.times else None

    def limit(self) -> tuple[float | None, str]:
        """In us, and what it is."""
        if self.gbit is not None:
            return self.shape.crossing_bytes * 8 / self.gbit * 1e-3, f"{self.gbit:g} Gbit/s each way"
        return self.us(PHYSICAL), PHYSICAL

    def line(self, name: str) -> str:
        times, ours, limit = self.times[name], self.us("ulysses"), self.limit()[0]
        us = statistics.median(time.us for time in times)
        all_us = [time.us for time in times]
        in_row = [time.back_to_back_us for time in times if time.back_to_back_us is not None]
        cells = [f"{us:.1f}", f"[{min(all_us):.0f}..{max(all_us):.0f}]", f"{statistics.median(in_row):.1f}" if in_row else "-",
                 f"{self.shape.crossing_bytes / us * 1e-3:.2f}", f"{us / ours:.2f}" if ours else "-", f"{us / limit:.2f}" if limit else "-",
                 str(len(times))]
        return f"{name:34}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS))

    def text(self) -> str:
        limit, what = self.limit()
        head = f"{'row':34}" + "".join(f"{cell:>{width}}" for cell, width in zip(HEADINGS, WIDTHS))
        lines = [head, *(self.line(name) for name in sorted(self.times, key=lambda name: self.us(name) or 0))]
        if limit:
            lines.append(f"physical limit: {limit:.1f} us ({what})")
        for name, texts in self.failures.items():
            lines.append(f"{name}: failed{f' {len(texts)} times' if len(texts) > 1 else ''}: {texts[-1]}")
        return "\n".join(lines)

    def json(self) -> dict:
        limit, what = self.limit()
        return {"shape": vars(self.shape), "crossing_bytes": self.shape.crossing_bytes, "limit_us": limit, "limit": what,
                "rows": [{"name": name, "us": self.us(name), "all_us": [time.us for time in times],
                          "b2b_us": [time.back_to_back_us for time in times]} for name, times in self.times.items()],
                "failures": self.failures}


HEADINGS = ("median us", "[lo..hi]", "b2b us", "GB/s", "/ulysses", "/limit", "rounds")
WIDTHS = (11, 20, 11, 8, 10, 8, 8)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seq", 8192), ("batch", 1), ("heads", 32), ("kv-heads", 0), ("head-dim", 128), ("ranks-per-host", 1), ("rounds", 3),
                          ("iters", 10), ("warmup", 2), ("mtu", 1500)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"[{default}]")
    parser.add_argument("--dtype", choices=list(ELEMENT_BYTES), default="bf16")
    parser.add_argument("--memory", choices=("registered", "plain"), default="registered", help="of ulysses_perf")
    parser.add_argument("--gbit", type=float, help="rate of the link, each way [as fast as it goes]")
    parser.add_argument("--bridge", action="store_true", help="a switch between the hosts, not one veth pair")
    parser.add_argument("--rows", type=lambda text: text.split(","), default=list(ROWS), help=f"which [{','.join(ROWS)}]")
    parser.add_argument("--limit-s", type=float, default=120, help="for one program [120]")
    parser.add_argument("--perf", default="ulysses_perf", help="the program ulysses_perf")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for ulysses_perf, any number of times")
    parser.add_argument("--tcpfloor", default="", help="program of the peers folder")
    parser.add_argument("--mpi-peers", default="", help="program of the peers folder, built with Open MPI")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    return parser.parse_args()


def shape_of(options: argparse.Namespace) -> Shape:
    shape = Shape(options.seq, options.batch, options.heads, options.kv_heads, options.head_dim, options.dtype, options.ranks_per_host)
    if problem := shape.problem():
        sys.exit(f"between_hosts.py: {problem}")
    if unknown := [name for name in options.rows if name not in ROWS]:
        sys.exit(f"between_hosts.py: --rows {','.join(unknown)}: there are {', '.join(ROWS)}")
    if bad := [word for word in options.env if "=" not in word]:
        sys.exit(f"between_hosts.py: --env {bad[0]}: want NAME=VALUE")
    return shape


def heading(shape: Shape, options: argparse.Namespace) -> str:
    return (f"# P={shape.ranks} on 2 hosts, S={shape.seq} B={shape.batch} H={shape.heads} HKV={shape.kv_heads} D={shape.head_dim} {shape.dtype}: "
            f"{shape.crossing_bytes} bytes cross each way\n# {'bridge' if options.bridge else 'one veth pair'}, MTU {options.mtu}, "
            f"{f'{options.gbit:g} Gbit/s' if options.gbit else 'no rate limit'}; {len(os.sched_getaffinity(0))} cores for both hosts, "
            f"Linux {platform.release()}, load before {os.getloadavg()[0]:.1f}; rank r on core r mod cores\n"
            "# medians over the rounds; GB/s = crossing bytes / time; one way: of that direction alone")


def measure(bench: Bench, table: Table, names: list[str], rounds: int) -> None:
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            try:
                for row, time in ROWS[name](bench).items():
                    table.times.setdefault(row, []).append(time)
            except (Failed, network.NetworkError) as failure:
                table.failures.setdefault(name, []).append(str(failure))


def main() -> int:
    options = parse()
    shape = shape_of(options)
    if reason := network.supported():
        print(f"between_hosts.py: no emulated hosts here: {reason}", file=sys.stderr)
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(heading(shape, options), flush=True)
    table = Table(shape, options.gbit)
    with Hosts(2, mtu=options.mtu, direct=not options.bridge) as hosts:
        hosts.limit(options.gbit)
        bench = Bench(hosts, shape, options.iters, options.warmup, options.limit_s, options.perf, options.memory,
                      dict(word.split("=", 1) for word in options.env), options.tcpfloor, options.mpi_peers)
        measure(bench, table, options.rows, options.rounds)
    print(table.text())
    if options.json:
        options.json.write_text(json.dumps(table.json(), indent=1) + "\n", encoding="utf-8")
    return 0 if table.times else 1


if __name__ == "__main__":
    sys.exit(main())
