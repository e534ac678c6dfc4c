# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What perf/between_hosts.py measures: each row a function that runs one program across two emulated hosts, once.

A row gives its times, or raises Failed with what the program said.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/hosts"))
import remote_shell  # noqa: E402  pylint: disable=wrong-import-position
from network import Hosts, wait_for  # noqa: E402  pylint: disable=wrong-import-position
from ranks import PORTS, Ranks  # noqa: E402  pylint: disable=wrong-import-position

ELEMENT_BYTES = {"bf16": 2, "f16": 2, "f32": 4}
UCX_PIECE = 256 << 10
PHYSICAL = "iperf3 both ways"


class Failed(Exception):
    """No time: the program is missing, or what it said."""


@dataclass(frozen=True)
class Shape:
    seq: int
    batch: int
    heads: int
    kv_heads: int  # 0: one tensor; else Q, K and V in one exchange
    head_dim: int
    dtype: str
    ranks_per_host: int

    @property
    def ranks(self) -> int:
        return 2 * self.ranks_per_host

    @property
    def message_bytes(self) -> int:
        """From one rank to another."""
        heads = self.heads // self.ranks + (2 * max(1, self.kv_heads // self.ranks) if self.kv_heads else 0)
        return self.seq // self.ranks * self.batch * heads * self.head_dim * ELEMENT_BYTES[self.dtype]

    @property
    def crossing_bytes(self) -> int:
        """From one host to the other, when every rank sends to every rank there."""
        return self.ranks_per_host**2 * self.message_bytes

    def problem(self) -> str:
        """Why the peers cannot run it (they take even splits only); empty if they can."""
        shared = self.kv_heads and self.kv_heads % self.ranks and self.ranks % self.kv_heads
        if self.seq % self.ranks or self.heads % self.ranks or shared:
            return f"--seq {self.seq}, --heads {self.heads} and --kv-heads {self.kv_heads} must divide by {self.ranks} ranks"
        return ""

    def words(self) -> list[str]:
        """As the peers' programs take it."""
        return [str(each) for each in (self.ranks, self.seq, self.batch, self.heads, self.kv_heads, self.head_dim, ELEMENT_BYTES[self.dtype])]


@dataclass(frozen=True)
class Time:
    us: float
    back_to_back_us: float | None = None


@dataclass
class Bench:
    hosts: Hosts
    shape: Shape
    iterations: int
    warmups: int
    limit_s: float  # for one program
    ulysses_perf: str
    memory: str
    environment: dict[str, str] = field(default_factory=dict)  # of ulysses_perf
    tcpfloor: str = ""
    mpi_peers: str = ""

    def peer_environment(self, prefix: str) -> dict[str, str]:
        return {"ITERS": str(self.iterations), "WARM": str(self.warmups), "PREFIX": prefix, "PIN": "1"}


Rows = dict[str, Time]


def program(name: str, what: str = "") -> str:
    path = shutil.which(name) if name else None
    if path is None:
        raise Failed(f"{name or what} is not here")
    return str(Path(path).resolve()) if "/" in name else path


def last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return (lines[-1] if lines else "it said nothing")[:300]


def results(output: str) -> Rows:
    """RESULT lines of the peers and of ulysses_perf --peer-lines."""
    rows = {}
    for name, rest in re.findall(r"^RESULT peer=(.*?) (med=.*)$", output, re.MULTILINE):
        values = dict(word.split("=", 1) for word in rest.split())
        if values["ok"] != "yes":
            raise Failed(f"{name}: wrong elements")
        rows[name] = Time(float(values["med"]), float(values["b2b"]))
    return rows


def run_ranks(bench: Bench, argv: Callable[[int], Sequence[str]], environment: dict[str, str]) -> Rows:
    with Ranks(bench.hosts, argv, bench.shape.ranks_per_host, deadline_s=bench.limit_s, environment=environment) as ranks:
        ended = ranks.wait()
    for each in ended:  # the first that failed says why; those after it may only say that they lost it
        if each.status is None:
            raise Failed(f"rank {each.rank} did not end in {bench.limit_s:g} s: {last_words(each.output)}")
    bad = [each for each in ended if each.status != 0]
    if bad:
        raise Failed(f"rank {bad[0].rank}: {last_words(bad[0].output)}")
    return results(ended[0].output) or fail(f"no result: {last_words(ended[0].output)}")


def fail(text: str) -> Rows:
    raise Failed(text)


def ulysses(bench: Bench) -> Rows:
    shape = bench.shape
    command = [program(bench.ulysses_perf, "ulysses_perf"), "qkv" if shape.kv_heads else "scatter_heads",
               "--seq", shape.seq, "--batch", shape.batch, "--heads", shape.heads, "--head-dim", shape.head_dim, "--dtype", shape.dtype,
               *(["--kv-heads", shape.kv_heads] if shape.kv_heads else []), "--memory", bench.memory, "--iters", bench.iterations,
               "--warmup", bench.warmups, "--timeout-ms", int(bench.limit_s * 500), "--peer-lines", "--peer-name", "ulysses"]
    return run_ranks(bench, lambda _: [str(each) for each in command], bench.environment)


def sockets(bench: Bench) -> Rows:
    binary, port = program(bench.tcpfloor, "tcpfloor (--tcpfloor)"), str(next(PORTS))
    places = ",".join(host.address for host in bench.hosts for _ in range(bench.shape.ranks_per_host))
    return run_ranks(bench, lambda rank: [binary, "rank", str(rank), places, port, *bench.shape.words()], bench.peer_environment("tcp"))


def open_mpi(bench: Bench) -> Rows:
    binary, launcher = program(bench.mpi_peers, "mpi_peers.ompi (--mpi-peers)"), program("mpirun.openmpi")
    variables = {**bench.peer_environment("ompi-tcp"), "ONLY": "pack+alltoall"}
    with tempfile.TemporaryDirectory(prefix="between-hosts-") as folder:
        inside = "" if bench.shape.ranks_per_host == 1 else ",vader"  # as users have it: shared memory within a host
        where = ",".join(f"{host.name}:{bench.shape.ranks_per_host}" for host in bench.hosts)
        settings = {"plm_rsh_agent": remote_shell.write(bench.hosts, Path(folder, "remote_shell")), "pml": "ob1", "btl": f"tcp,self{inside}",
                    "btl_tcp_if_include": "eth0", "oob_tcp_if_include": "eth0"}
        command = [launcher, *(word for name, value in settings.items() for word in ("--mca", name, value)), "--bind-to", "none",
                   "-H", where, "-np", str(bench.shape.ranks), *(word for name in variables for word in ("-x", name)), binary, *bench.shape.words()]
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "TMPDIR": folder}
        # One rank of the harness that starts mpirun; its status does not matter: after this row the peers' program tries
        # a shared window, which must fail between hosts.
        with Ranks(bench.hosts, command, [1, 0], bench.limit_s, {**variables, **root}) as ranks:
            ended = ranks.wait()[0]
    rows = results(ended.output)
    if not rows:
        raise Failed(last_words(ended.output))
    return rows


def listens(bench: Bench, port: int) -> bool:
    """At host 1, in whichever address family."""
    tables = [Path(f"/proc/{bench.hosts[1].pid}/net/{name}") for name in ("tcp", "tcp6")]
    wanted = re.compile(rf":{port:04X} [0-9A-F]+:0000 0A ")
    return any(wanted.search(table.read_text(encoding="ascii")) for table in tables if table.exists())


def client_and_server(bench: Bench, client: Sequence[str], server: Sequence[str], port: int, **variables: str) -> str:
    """What the client on host 0, core 0, prints, the server being on host 1, at the next core."""
    cores = sorted(os.sched_getaffinity(0))
    both: list[subprocess.Popen] = []

    def start(index: int, argv: Sequence[str], out: int) -> subprocess.Popen:
        pinned = ["taskset", "-c", str(cores[index % len(cores)]), *argv]
        both.append(bench.hosts[index].start(pinned, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=out,
                                             stderr=subprocess.STDOUT, text=True, start_new_session=True))
        return both[-1]

    try:
        start(1, server, subprocess.DEVNULL)
        wait_for(lambda: listens(bench, port), f"{server[0]} listens")
        output, _ = start(0, client, subprocess.PIPE).communicate(timeout=bench.limit_s)
    except subprocess.TimeoutExpired:
        raise Failed(f"{client[0]} did not end in {bench.limit_s:g} s") from None
    finally:
        for process in both:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return output


def iperf(bench: Bench) -> Rows:
    """The time in which the link as it is moves the crossing bytes both ways at once."""
    binary, port = program("iperf3"), next(PORTS)
    output = client_and_server(bench, [binary, "-c", bench.hosts[1].address, "-p", str(port), "--bidir", "-t", "2", "-O", "1", "-J"],
                               [binary, "-s", "-1", "-p", str(port)], port)
    try:
        end = json.loads(output)["end"]
        rates = [end[name]["bits_per_second"] for name in ("sum_received", "sum_received_bidir_reverse")]
    except (ValueError, KeyError):
        raise Failed(f"iperf3: {last_words(output)}") from None
    # Of the sum: which direction gets more of the two cores is chance, and the exchange moves the same both ways.
    return {PHYSICAL: Time(bench.shape.crossing_bytes * 8 / (sum(rates) / 2) * 1e6)}


def ucx(bench: Bench, test: str, size: int, count: int) -> list[float]:
    """The last line of ucx_perftest: iterations, latency (percentile, average, overall), MiB/s (average, overall), messages/s."""
    binary, port = program("ucx_perftest"), next(PORTS)
    output = client_and_server(bench, [binary, bench.hosts[1].address, "-p", str(port), "-t", test, "-s", str(size), "-n", str(count),
                                       "-w", str(count // 10 + 1), "-f"], [binary, "-p", str(port)], port, UCX_TLS="tcp,self",
                               UCX_NET_DEVICES="eth0", UCX_LOG_LEVEL="error", UCX_WARN_UNUSED_ENV_VARS="n")
    lines = [words for line in output.splitlines() if len(words := line.split()) >= 8 and words[0].isdigit()]
    if not lines:
        raise Failed(f"ucx_perftest: {last_words(output)}")
    return [float(word) for word in lines[-1]]


def ucx_bandwidth(bench: Bench) -> Rows:
    rate = ucx(bench, "tag_bw", UCX_PIECE, max(20, min(2000, 20 * bench.shape.crossing_bytes // UCX_PIECE)))[5] * 2**20
    return {"ucx tag_bw 256 KiB, one way": Time(bench.shape.crossing_bytes / rate * 1e6)}


def ucx_latency(bench: Bench) -> Rows:
    """As many messages, one after another, as cross one way in an exchange."""
    size, count = bench.shape.message_bytes, bench.shape.ranks_per_host**2
    return {f"ucx tag_lat {count} x {size} B, one way": Time(count * ucx(bench, "tag_lat", size, 2 * bench.iterations)[3])}


ROWS: dict[str, Callable[[Bench], Rows]] = {"ulysses": ulysses, "sockets": sockets, "openmpi": open_mpi, "iperf": iperf,
                                            "ucx-bandwidth": ucx_bandwidth, "ucx-latency": ucx_latency}
