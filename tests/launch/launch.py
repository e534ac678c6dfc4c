#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Ranks that real launchers start: `launch.py CHECK LAUNCH_RANK ULYSSES_PERF`; without arguments the checks are listed.

Each check is a function below. 0: it holds, 1: it does not, 77: what it needs is not here, with the reason. Slurm itself
is not involved anywhere: slurm_style gives processes the variables that srun would.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import launching
from launching import (LIMIT_S, ROOT, SECRET, Ended, Skip, by_hand, environment, expect, expect_all_joined,
                       free_port, local_root, mpich, openmpi, outer_address, run, run_check, secret_file, start, torchrun, wait)

rank_program = perf_program = ""


def ranks(variables: Sequence[dict[str, object]], command: Sequence[str] = ()) -> list[Ended]:
    return launching.ranks(variables, command or [rank_program])


def good(command: list[str], n: int, name: str, **variables: object) -> None:
    ended = run(command, **variables)
    expect(ended.status == 0, f"status {ended.status}:\n{ended.output}")
    expect_all_joined(ended.output, n, name)


# ---------------------------------------------------------------------------------------------- each launcher


def check_openmpi_2() -> None:
    good(openmpi(2, rank_program), 2, "openmpi")


def check_openmpi_4() -> None:
    good(openmpi(4, rank_program, "--comms", "3"), 4, "openmpi")


def check_pmix() -> None:
    """No variable says how many ranks there are: the server does."""
    without = ["env", "-u", "OMPI_COMM_WORLD_RANK", "-u", "OMPI_COMM_WORLD_SIZE", rank_program, "--comms", "2"]
    good(openmpi(3, *without), 3, "pmix")


def check_mpich_2() -> None:
    good(mpich(2, rank_program), 2, "pmi")


def check_mpich_4() -> None:
    good(mpich(4, rank_program, "--comms", "3"), 4, "pmi")


def check_torchrun() -> None:
    # Not --standalone: it takes a port that the kernel gives to anybody, and the next one may be somebody's.
    good(torchrun(4, rank_program, "--comms", "2", port=free_port()), 4, "torchrun")


def check_torchrun_port() -> None:
    """MASTER_PORT + 1 is in use: the error says which variable helps, and it does."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run(torchrun(2, rank_program, port=port - 1), ULYSSES_INIT_TIMEOUT_MS=4000)
        ended.fails("ULYSSES_PORT", f"port {port} is in use")
        good(torchrun(2, rank_program, port=port - 1), 2, "torchrun", ULYSSES_PORT=free_port())


def check_torch_variables() -> None:
    """RANK and WORLD_SIZE set by hand, as many scripts do."""
    port = free_port()
    ended = ranks([{"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": port} for rank in range(2)])
    expect_all_joined("".join(each.output for each in ended), 2, "environment")


def check_slurm_style() -> None:
    """The variables of srun, set by this script; no slurmd is involved."""
    with secret_file() as path:
        common = {"SLURM_JOB_ID": 77, "SLURM_STEP_ID": 0, "SLURM_NTASKS": 4, "SLURM_STEP_NUM_TASKS": 3,
                  "SLURM_STEP_NUM_NODES": 1, "ULYSSES_ROOT": local_root(), "ULYSSES_SECRET_FILE": path}
        ended = ranks([{**common, "SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in range(3)],
                      [rank_program, "--comms", "2"])
    expect_all_joined("".join(each.output for each in ended), 3, "slurm")
    ended[2].says("local 2 of 3")


def check_slurm_batch() -> None:
    """A batch script has SLURM_PROCID=0 and the tasks of the allocation, and is no rank."""
    run([rank_program], SLURM_PROCID=0, SLURM_NTASKS=4, SLURM_JOB_ID=7, ENVIRONMENT="BATCH").fails(
        "nothing started this process as a rank", within_s=5)


def check_root() -> None:
    port = free_port()
    with secret_file() as path:
        for root in (f"127.0.0.1:{port}", f"localhost:{port}"):  # the second at once at the port of the first
            ended = ranks(by_hand(4, ULYSSES_ROOT=root, ULYSSES_SECRET_FILE=path, ULYSSES_DEBUG="TRACE"),
                          [rank_program, "--comms", "3"])
            output = "".join(each.output for each in ended)
            expect_all_joined(output, 4, "ulysses")
            expect(SECRET not in output and SECRET.encode().hex() not in output, "the secret was logged")


def check_root_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError as error:
            raise Skip(f"no ::1 here: {error}") from None
    ended = ranks(by_hand(2, ULYSSES_ROOT=f"[::1]:{free_port()}"))
    expect_all_joined("".join(each.output for each in ended), 2, "ulysses")


def check_root_before_pmi() -> None:
    """ULYSSES_ROOT goes before what the launcher offers: a wrong one is an error and is not passed over."""
    run(mpich(2, rank_program), ULYSSES_ROOT="nowhere").fails("ULYSSES_ROOT=nowhere: want HOST:PORT")
    good(mpich(2, rank_program), 2, "pmi", ULYSSES_ROOT=local_root())


def check_mpi_beside() -> None:
    """A program that uses MPI too, joining before MPI_Init, while it is up, and after."""
    library = next(Path(rank_program).resolve().parents[2].glob("src/libulysses_coll.so.0"), None)
    expect(library, "the library is not where it is built")
    tried = 0
    for compiler, launch in (("mpicc.openmpi", openmpi), ("mpicc.mpich", mpich)):
        if shutil.which(compiler) is None:
            continue
        tried += 1
        with tempfile.TemporaryDirectory(prefix="launch-") as directory:
            binary = f"{directory}/mpi_beside"
            compiled = run([compiler, "-o", binary, f"{Path(__file__).parent}/mpi_beside.c", f"-I{ROOT}/include",
                            str(library), f"-Wl,-rpath,{library.parent}"])
            expect(compiled.status == 0, compiled.output)
            ended = run(launch(3, binary))
        expect(ended.status == 0 and ended.output.count("beside MPI: ok") == 3, f"{compiler}: {ended.output}")
    if not tried:
        raise Skip("neither mpicc.openmpi nor mpicc.mpich is installed")


# ---------------------------------------------------------------------------------------------- what goes wrong


def check_no_launcher() -> None:
    run([rank_program]).fails("OMPI_COMM_WORLD_RANK", "PMI_RANK", "WORLD_SIZE", "SLURM_PROCID", "ULYSSES_RANK", within_s=5)


def check_nowhere_to_meet() -> None:
    run([rank_program], SLURM_PROCID=0, SLURM_NTASKS=2, SLURM_STEP_ID=0).fails("ULYSSES_ROOT", "SLURM_PROCID", within_s=5)


def check_malformed() -> None:
    place = {"ULYSSES_ROOT": local_root()}
    for variables, texts in (
        ({"ULYSSES_RANK": "x", "ULYSSES_RANKS": 2}, ["ULYSSES_RANK=x"]),
        ({"ULYSSES_RANK": 2, "ULYSSES_RANKS": 2}, ["ULYSSES_RANK=2", "0 .. 1"]),
        ({"ULYSSES_RANK": 0, "ULYSSES_RANKS": 0}, ["ULYSSES_RANKS=0"]),
        ({"ULYSSES_RANK": 0}, ["ULYSSES_RANK is set and ULYSSES_RANKS is not"]),
        ({"OMPI_COMM_WORLD_SIZE": 4}, ["OMPI_COMM_WORLD_RANK"]),
        ({"OMPI_COMM_WORLD_RANK": -1, "OMPI_COMM_WORLD_SIZE": 4}, ["OMPI_COMM_WORLD_RANK=-1"]),
        ({"RANK": 0, "WORLD_SIZE": "2 "}, ["WORLD_SIZE=2 "]),
        ({"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 5, "LOCAL_WORLD_SIZE": 2}, ["LOCAL_RANK=5"]),
        ({"SLURM_PROCID": 0, "SLURM_NTASKS": "99999999999999999999"}, ["SLURM_NTASKS=99999999999999999999"]),
        ({"ULYSSES_RANK": 0, "ULYSSES_RANKS": 1, "ULYSSES_ROOT": "127.0.0.1:0"}, ["ULYSSES_ROOT=127.0.0.1:0"]),
        ({"ULYSSES_RANK": 0, "ULYSSES_RANKS": 1, "ULYSSES_ROOT": "127.0.0.1"}, ["want HOST:PORT"]),
        ({"ULYSSES_RANK": 0, "ULYSSES_RANKS": 1, "ULYSSES_ROOT": "0.0.0.0:29000"}, ["stands for all interfaces"]),
        ({"ULYSSES_RANK": 0, "ULYSSES_RANKS": 1, "ULYSSES_ROOT": "host.invalid:29000"}, ["host.invalid has no address"]),
        ({"PMI_RANK": 0, "PMI_SIZE": 2, "PMI_FD": 0, "ULYSSES_ROOT": ""}, ["PMI_FD=0"]),
        ({"PMI_RANK": 0, "PMI_SIZE": 2, "PMI_FD": "1x", "ULYSSES_ROOT": ""}, ["PMI_FD=1x"]),
    ):
        ended = run([rank_program], **{**place, **variables})
        ended.fails("invalid argument", *texts, within_s=15)


def check_secret_file() -> None:
    root = local_root()

    def fails(path: str, *texts: str) -> None:
        run([rank_program], **by_hand(2, ULYSSES_ROOT=root, ULYSSES_SECRET_FILE=path)[1]).fails(
            "ULYSSES_SECRET_FILE", *texts, within_s=5)

    with secret_file(mode=0o644) as path:
        fails(path, "mode 0644", "chmod 600")
    with secret_file(text="short") as path:
        fails(path, "holds 5 bytes, want 32")
    with secret_file(text="x" * 5000) as path:
        fails(path, "holds 5000 bytes")
        fails(f"{path}.not", "No such file")
        fails(str(Path(path).parent), "not a plain file")
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
            fails(path, "belongs to user 65534")


def check_wrong_secret() -> None:
    with secret_file() as one, secret_file(text=SECRET[::-1]) as other:
        first, second = by_hand(2, ULYSSES_ROOT=local_root(), ULYSSES_INIT_TIMEOUT_MS=3000)
        zero, one_ended = ranks([{**first, "ULYSSES_SECRET_FILE": one}, {**second, "ULYSSES_SECRET_FILE": other}])
    one_ended.fails("does not have the secret", "ULYSSES_SECRET_FILE", within_s=3)
    zero.fails("missing: 1 (1 connections knew this communicator but not its secret)", within_s=6)


def check_open_address() -> None:
    refused = run([rank_program], **by_hand(2, ULYSSES_ROOT="198.51.100.7:29000")[1])
    refused.fails("198.51.100.7:29000 is no loopback address", "ULYSSES_SECRET_FILE", "ULYSSES_INSECURE=1", within_s=5)
    here = run([rank_program], **by_hand(2, ULYSSES_ROOT="198.51.100.7:29000", ULYSSES_INSECURE=1)[0])
    here.fails("is no address of this host", within_s=5)
    address = outer_address()
    if address is None:
        return
    root = f"{address}:{free_port()}"
    output = "".join(each.output for each in ranks(by_hand(2, ULYSSES_ROOT=root, ULYSSES_INSECURE=1)))
    expect_all_joined(output, 2, "ulysses")
    with secret_file() as path:
        output = "".join(each.output for each in ranks(by_hand(2, ULYSSES_ROOT=root, ULYSSES_SECRET_FILE=path)))
        expect_all_joined(output, 2, "ulysses")


def check_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        zero, one = ranks(by_hand(2, ULYSSES_ROOT=f"127.0.0.1:{port}", ULYSSES_INIT_TIMEOUT_MS=4000))
    zero.fails(f"ULYSSES_ROOT=127.0.0.1:{port}: port {port} is in use", "ss -ltnp", within_s=5)
    one.fails("before the deadline", within_s=7)


def check_missing_rank() -> None:
    zero, two = ranks([each for each in by_hand(3, ULYSSES_ROOT=local_root(), ULYSSES_INIT_TIMEOUT_MS=1500)
                       if each["ULYSSES_RANK"] != 1])
    zero.fails("2 of 3 ranks joined before the deadline; missing: 1", within_s=5)
    two.fails("missing: 1", within_s=5)


def check_missing_root() -> None:
    ended = run([rank_program], **by_hand(2, ULYSSES_ROOT=local_root(), ULYSSES_INIT_TIMEOUT_MS=1000)[1])
    ended.fails("rank 0 was not met before the deadline", "Connection refused", within_s=5)


def check_missing_below_launchers() -> None:
    """PMI has a barrier that does not tell who is missing; PMIx has none, and the rendezvous names the rank."""
    short = {"ULYSSES_INIT_TIMEOUT_MS": 1500}
    tried = 0
    if shutil.which("mpirun.openmpi"):
        tried += 1
        run(openmpi(3, rank_program, "--absent", "2"), **short).fails("missing: 2", within_s=15)
        run(openmpi(3, rank_program, "--absent", "0"), **short).fails("rank 0 left no id", within_s=15)
    if shutil.which("mpirun.mpich"):
        tried += 1
        run(mpich(3, rank_program, "--absent", "2"), **short).fails("not all ranks came to the launcher's PMI barrier",
                                                                     within_s=15)
    if not tried:
        raise Skip("neither mpirun.openmpi nor mpirun.mpich is installed")


def check_duplicate_rank() -> None:
    three = by_hand(3, ULYSSES_ROOT=local_root())
    for ended in ranks([three[0], three[1], three[1]]):
        ended.fails("rank 1 was given twice", within_s=10)


def check_other_size() -> None:
    root = local_root()
    two, three = by_hand(2, ULYSSES_ROOT=root), by_hand(3, ULYSSES_ROOT=root)
    for ended in ranks([two[0], three[1], three[2]]):
        ended.fails("nRanks: rank", "all ranks must pass the same", within_s=10)


def check_late_root() -> None:
    first, second = by_hand(2, ULYSSES_ROOT=local_root())
    started = time.monotonic()
    one = start([rank_program], environment(**second))
    time.sleep(1.5)
    zero = start([rank_program], environment(**first))
    expect_all_joined(wait(zero, started).output + wait(one, started).output, 2, "ulysses")


def check_restart() -> None:
    """All killed while they exchange, and started again at once at the same port."""
    root = local_root()
    for _ in range(3):
        processes = [start([rank_program, "--die", "99"], environment(**each)) for each in by_hand(3, ULYSSES_ROOT=root)]
        time.sleep(0.3)
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            process.communicate(timeout=LIMIT_S)
        ended = ranks(by_hand(3, ULYSSES_ROOT=root))
        expect_all_joined("".join(each.output for each in ended), 3, "ulysses")


def check_death() -> None:
    ended = ranks(by_hand(3, ULYSSES_ROOT=local_root()), [rank_program, "--die", "1"])
    for survivor in (ended[0], ended[2]):
        survivor.fails("rank 1 was lost", within_s=10)


# ---------------------------------------------------------------------------------------------- ulysses_perf

ATTENTION = ["attention", "--seq", "96", "--heads", "8", "--kv-heads", "2", "--head-dim", "16", "--causal", "--backward", "--dtype", "f32"]
SMALL = ["qkv", "--seq", "256", "--heads", "8", "--kv-heads", "2", "--head-dim", "32", "--iters", "20"]


def perf() -> str:
    if not perf_program:
        raise Skip("ulysses_perf is not built (Meson option perf)")
    return perf_program


def good_perf(command: list[str], n: int, **variables: object) -> None:
    ended = run(command, **variables)
    expect(ended.status == 0, f"status {ended.status}:\n{ended.output}")
    ended.says(f"ranks {n},", "Wrong elements       : 0 OK", "permute", "floor:")
    expect(ended.output.count("Wrong elements") == 1, f"more than one rank printed a report:\n{ended.output}")


def check_perf_openmpi() -> None:
    good_perf(openmpi(4, perf(), *SMALL, "--compare", "floor,permute"), 4)


def check_perf_mpich() -> None:
    good_perf(mpich(3, perf(), *SMALL, "--tokens", "100,0,156", "--compare", "floor,permute"), 3)


def check_perf_torchrun() -> None:
    good_perf(torchrun(2, perf(), *SMALL, "--compare", "floor,permute"), 2)


def check_perf_by_hand() -> None:
    ended = ranks(by_hand(2, ULYSSES_ROOT=local_root()), [perf(), *SMALL])
    expect([each.status for each in ended] == [0, 0], ended[0].output + ended[1].output)
    ended[0].says("Wrong elements       : 0 OK", "ranks started by ulysses")
    expect(ended[1].output == "", f"rank 1 printed:\n{ended[1].output}")


def good_attention(output: str, n: int) -> None:
    for text in (f"attention: ranks {n},", "dV ", ": OK", "backward"):
        expect(text in output, f"'{text}' is not in:\n{output}")
    expect(output.count("Errors  ") == 1, f"want the report of one rank:\n{output}")


def check_perf_attention() -> None:
    """By each launcher that is here, and by hand; the times of all ranks and what all of them checked are in one report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        uneven = ["--tokens", "50,0,46", "--query-heads", "0,4,4"]  # rank 0, who reports, attends to nothing itself
        ended = ranks(by_hand(3, ULYSSES_ROOT=local_root()), [perf(), *ATTENTION, *uneven, "--json", str(file)])
        expect([each.status for each in ended] == [0, 0, 0], "".join(each.output for each in ended))
        good_attention(ended[0].output, 3)
        ended[0].says("ranks started by ulysses")
        expect(ended[1].output + ended[2].output == "", f"another rank printed:\n{ended[1].output}{ended[2].output}")
        row = json.loads(file.read_text(encoding="utf-8"))["results"][0]
    expect(set(row["errors"]) == {"O", "LSE", "dQ", "dK", "dV"} and row["backward"]["local_us"] > 0, f"{row}")


def check_perf_attention_openmpi() -> None:
    ended = run(openmpi(2, perf(), *ATTENTION))
    expect(ended.status == 0, f"status {ended.status}:\n{ended.output}")
    good_attention(ended.output, 2)


def check_perf_attention_torchrun() -> None:
    ended = run(torchrun(2, perf(), *ATTENTION))
    expect(ended.status == 0, f"status {ended.status}:\n{ended.output}")
    good_attention(ended.output, 2)


def check_perf_attention_agrees_on_failure() -> None:
    """What one rank finds out, and what rank 0 alone does, ends all of them."""
    for more, text in ((["--head-groups", "3"], "headGroups=3"), (["--json", "/nonexistent/file.json"], "")):
        variables = by_hand(2, ULYSSES_ROOT=local_root(), ULYSSES_INIT_TIMEOUT_MS=2000)
        for ended in ranks(variables, [perf(), *ATTENTION, *more]):
            ended.fails(*([text] if text else []), within_s=30)


def check_perf_refuses() -> None:
    for command, text in (([*SMALL, "--ranks", "2"], "leave --ranks out"), ([*SMALL, "--compare", "mpi"], "cannot be below ulysses"),
                          ([*ATTENTION, "--compare", "torch"], "cannot be below a launcher")):
        for ended in ranks(by_hand(2, ULYSSES_ROOT=local_root()), [perf(), *command]):
            ended.fails(text, within_s=10)
            expect(ended.status == 2, f"status {ended.status}")
    run([perf(), *SMALL], RANK=1).fails("RANK is set and WORLD_SIZE is not", within_s=10)


def check_perf_agrees_on_failure() -> None:
    """What rank 0 alone finds out (memory, files) ends all ranks."""
    huge = ["scatter_heads", "--seq", "64", "--heads", "64", "--head-dim", "268435456", "--iters", "1"]
    for ended in ranks(by_hand(2, ULYSSES_ROOT=local_root()), [perf(), *huge]):
        ended.fails("are available", within_s=30)
    nowhere = [perf(), *SMALL, "--json", "/nonexistent/file.json"]
    for ended in ranks(by_hand(2, ULYSSES_ROOT=local_root(), ULYSSES_INIT_TIMEOUT_MS=2000), nowhere):
        ended.fails(within_s=30)


def check_perf_death() -> None:
    """Each survivor ends by itself: nothing here kills it. With and without the tool's own barriers in between."""
    endless = ["--seq", "3072", "--heads", "12", "--iters", "1000000", "-c", "0"]
    for arguments in (["scatter_heads", *endless], ["scatter_heads", *endless, "--compare", "permute"],
                      ["scatter_heads", *endless, "--no-fresh", "--compare", "floor"], ["attention", *endless, "--head-dim", "16"]):
        command = [perf(), *arguments]
        variables = by_hand(3, ULYSSES_ROOT=local_root())
        started = time.monotonic()
        processes = [start(command, environment(**each)) for each in variables]
        time.sleep(1.5)
        processes[1].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        for survivor in (processes[0], processes[2]):
            wait(survivor, started).fails("rank 1 was lost", within_s=killed - started + 5)
        processes[1].communicate()


CHECKS: dict[str, Callable[[], None]] = {name.removeprefix("check_"): function for name, function in globals().items()
                                         if name.startswith("check_")}


def main(arguments: list[str]) -> int:
    global rank_program, perf_program
    if not arguments:
        print("\n".join(CHECKS))
        return 0
    name, rank_program, perf_program = (*arguments, "", "")[:3]
    return run_check(CHECKS, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
