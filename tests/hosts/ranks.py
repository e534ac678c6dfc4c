# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Ranks on emulated hosts: processes that meet at ULYSSES_ROOT on host 0, and that one can lose, stop and outlive.

    with Hosts(2) as hosts, Ranks(hosts, [program], per_host=2, deadline_s=30) as ranks:
        ranks.kill(3)
        for ended in ranks.wait():
            print(ended.rank, ended.status, ended.output)

Ranks are dealt by host: with two per host, 0 and 1 are on host 0. At the end all of them are gone, with what they started.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from network import Hosts, Opened

sys.path.append(str(Path(__file__).resolve().parents[1] / "launch"))
import launching  # noqa: E402  pylint: disable=wrong-import-position

# Below the ports that the kernel gives to outgoing connections. Another for each group: the last one's may linger.
PORTS = itertools.cycle(range(20000, 31000))
LINGER_S = 5  # from SIGKILL to the end of a process

Variables = Mapping[str, object]


@dataclass(frozen=True)
class Ended:
    rank: int
    host: int
    status: int | None  # exit status, -signal, or None: it ran until the deadline and was killed
    output: str  # standard output and error
    seconds: float  # since the ranks were started; when it was seen to have ended

    def __str__(self) -> str:
        return f"rank {self.rank} on host {self.host}: status {self.status} after {self.seconds:.1f} s:\n{self.output}"


def nothing(_: int) -> Variables:
    return {}


class Rank:
    def __init__(self, number: int, host: int, process: subprocess.Popen, log: IO[bytes], started: float) -> None:
        self.number, self.host, self.process, self.log, self.started = number, host, process, log, started
        self.ended: Ended | None = None

    def send(self, what: int) -> None:
        """To it and all that it started. Not reaped before `note`, so the number is still its group's."""
        if self.ended:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, what)

    def has_ended(self) -> bool:
        """Leaves it a zombie, which keeps the number of its process group from being given to others."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def output(self) -> str:
        return Path(self.log.name).read_text(encoding="utf-8", errors="replace")

    def note(self, late: bool) -> None:
        """It has ended, or is to end now: nothing of its group stays."""
        seconds = time.monotonic() - self.started
        self.send(signal.SIGKILL)
        status = self.process.wait(LINGER_S)
        self.ended = Ended(self.number, self.host, None if late else status, self.output(), seconds)


class Ranks(Opened):
    """`per_host`: one number, or one for each host. `argv`: the same for all, or a function of the rank.

    Environments: of launching.environment (nothing of another launcher's), then `environment`, `of_host(host)`,
    `of_rank(rank)`. `deadline_s` counts from here for all together.
    """

    def __init__(self, hosts: Hosts, argv: Sequence[str] | Callable[[int], Sequence[str]], per_host: int | Sequence[int] = 1,
                 deadline_s: float = 60, environment: Variables | None = None, of_host: Callable[[int], Variables] = nothing,
                 of_rank: Callable[[int], Variables] = nothing) -> None:
        counts = [per_host] * len(hosts) if isinstance(per_host, int) else list(per_host)
        if len(counts) != len(hosts) or min(counts) < 0 or not sum(counts):
            raise ValueError(f"per_host {per_host}: want a number of ranks for each of {len(hosts)} hosts")
        self.hosts = hosts
        self.host_of = [host for host, count in enumerate(counts) for _ in range(count)]
        self.root = f"{hosts[0].address}:{next(PORTS)}"
        self.argv = argv if callable(argv) else lambda _: argv
        self.environment, self.of_host, self.of_rank = environment or {}, of_host, of_rank
        self.deadline_s = deadline_s
        self.ranks: list[Rank] = []
        self.open = contextlib.ExitStack()

    def _open(self) -> None:
        secret = self.open.enter_context(launching.secret_file())
        self.folder = self.open.enter_context(tempfile.TemporaryDirectory(prefix="ranks-"))
        self.started = time.monotonic()
        for rank, host in enumerate(self.host_of):
            self.ranks.append(self._start(rank, host, secret))

    def __getitem__(self, rank: int) -> Rank:
        return self.ranks[rank]

    def variables(self, rank: int, secret: str) -> dict[str, str]:
        own = {"ULYSSES_RANK": rank, "ULYSSES_RANKS": len(self.host_of), "ULYSSES_ROOT": self.root, "ULYSSES_SECRET_FILE": secret}
        return launching.environment(**{**own, **self.environment, **self.of_host(self.host_of[rank]), **self.of_rank(rank)})

    def _start(self, rank: int, host: int, secret: str) -> Rank:
        # A file and not a pipe: a rank never waits for a reader, and what it said is there while it hangs.
        log = self.open.enter_context(open(Path(self.folder, f"rank{rank}"), "wb"))
        process = self.hosts[host].start(self.argv(rank), env=self.variables(rank, secret), stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=subprocess.STDOUT, start_new_session=True)
        return Rank(rank, host, process, log, self.started)

    def kill(self, rank: int) -> None:
        self.ranks[rank].send(signal.SIGKILL)

    def stop(self, rank: int) -> None:
        self.ranks[rank].send(signal.SIGSTOP)

    def resume(self, rank: int) -> None:
        self.ranks[rank].send(signal.SIGCONT)

    def wait(self, which: Sequence[int] | None = None) -> list[Ended]:
        """Until these ranks (all) have ended by themselves, or the deadline, which ends those that are left."""
        chosen = [self.ranks[rank] for rank in (range(len(self.ranks)) if which is None else which)]
        deadline = self.started + self.deadline_s
        while left := [rank for rank in chosen if rank.ended is None]:
            late = time.monotonic() > deadline
            for rank in left:
                ended = rank.has_ended()
                if ended or late:
                    rank.note(late=not ended)
            time.sleep(0.01)
        return [rank.ended for rank in chosen if rank.ended]

    def close(self) -> None:
        for rank in self.ranks:
            rank.send(signal.SIGKILL)
        with self.open:  # files and secret go even when one does not end
            for rank in self.ranks:
                if rank.ended is None:
                    rank.process.wait(LINGER_S)
