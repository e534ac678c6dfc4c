# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What the checks of launch.py need: processes with chosen variables, launchers, ports and secrets."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER_VARIABLES = re.compile(r"^(ULYSSES_|OMPI_|PMIX?_|SLURM_|MPI_LOCAL|TORCHELASTIC_|MASTER_)|^(RANK|WORLD_SIZE|"
                                r"LOCAL_RANK|LOCAL_WORLD_SIZE|ENVIRONMENT)$")
LIMIT_S = 60
SECRET = "correct-horse-battery-staple-0123456789"

class Skip(Exception):
    """What a check needs is not here."""


class Failure(Exception):
    """The check does not hold."""


def run_check(checks: Mapping[str, Callable[[], None]], name: str) -> int:
    """The exit status of one check; what it says is printed."""
    try:
        checks[name]()
    except Skip as reason:
        print(f"skipped: {reason}")
        return 77
    except Failure as failure:
        print(failure)
        return 1
    return 0


def environment(**variables: object) -> dict[str, str]:
    """That of this process, without anything of a launcher, and these."""
    kept = {name: value for name, value in os.environ.items()
            if not LAUNCHER_VARIABLES.match(name) or name.startswith("ULYSSES_TEST_")}
    return {**kept, "ULYSSES_INIT_TIMEOUT_MS": "20000", **{name: str(value) for name, value in variables.items()}}


def expect(condition: object, text: str) -> None:
    if not condition:
        raise Failure(text)


class Ended:
    def __init__(self, status: int, output: str, seconds: float) -> None:
        self.status, self.output, self.seconds = status, output, seconds

    def says(self, *texts: str) -> None:
        for text in texts:
            expect(text in self.output, f"no '{text}' in what it said:\n{self.output}")

    def fails(self, *texts: str, within_s: float = LIMIT_S) -> None:
        expect(self.status not in (0, None), f"it did not fail:\n{self.output}")
        expect(self.seconds < within_s, f"it took {self.seconds:.1f} s, want {within_s}:\n{self.output}")
        self.says(*texts)


def wait(process: subprocess.Popen[str], started: float) -> Ended:
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise Failure(f"{process.args} did not end in {LIMIT_S} s:\n{output}") from None
    return Ended(process.returncode, output, time.monotonic() - started)


def start(command: Sequence[str], variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def run(command: Sequence[str], **variables: object) -> Ended:
    started = time.monotonic()
    return wait(start(command, environment(**variables)), started)


def ranks(variables: Sequence[dict[str, object]], command: Sequence[str]) -> list[Ended]:
    """One process for each set of variables, at once."""
    started = time.monotonic()
    processes = [start(command, environment(**each)) for each in variables]
    with concurrent.futures.ThreadPoolExecutor(len(processes)) as waiters:
        return list(waiters.map(lambda process: wait(process, started), processes))


def by_hand(n: int, **common: object) -> list[dict[str, object]]:
    return [{"ULYSSES_RANK": rank, "ULYSSES_RANKS": n, **common} for rank in range(n)]


def free_port() -> int:
    """Below the ports that the kernel gives to outgoing connections."""
    while True:
        port = random.randint(20000, 31000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def local_root() -> str:
    return f"127.0.0.1:{free_port()}"


def outer_address() -> str | None:
    """An address of this host that is not loopback; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
        return None if address.startswith("127.") else address
    return None


@contextlib.contextmanager
def secret_file(text: str = SECRET, mode: int = 0o600) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="launch-") as directory:
        path = Path(directory) / "secret"
        path.write_text(text, encoding="ascii")
        path.chmod(mode)
        yield str(path)


def expect_all_joined(output: str, n: int, name: str) -> None:
    for rank in range(n):
        expect(f"rank {rank} of {n} by {name}: ok" in output, f"rank {rank} of {n} by {name} did not say so:\n{output}")


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Skip(f"{name} is not installed")
    return path


def openmpi(n: int, *command: str) -> list[str]:
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return [program("mpirun.openmpi"), *root, "--oversubscribe", "-np", str(n), *command]


def mpich(n: int, *command: str) -> list[str]:
    return [program("mpirun.mpich"), "-np", str(n), *command]


def torchrun(n: int, *command: str, port: int | None = None, options: Sequence[str] = ()) -> list[str]:
    own = ROOT / "build/venv/bin/torchrun"
    path = str(own) if own.exists() else program("torchrun")
    where = ["--master-port", str(port)] if port else [] if options else ["--standalone"]
    return [path, *where, *options, "--nproc-per-node", str(n), "--no-python", *command]
