#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Time the exchange of a layer by this package beside DeepSpeed's function over gloo, in turns in one run.

    compare_deepspeed.py [--ranks 2] [--seq 8192] [--heads 32] [--head-dim 128] [--rounds 11] [--json FILE]

Both get the same tensors [B, S/P, H, D], rewritten before each call, and scatter heads; with backward, the gradient of the
result goes back. Times are of the slowest rank; ratios are of one round, theirs / ours, and their median is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

KINDS = ("shared", "private")


def makers(kind: str, group) -> tuple[Callable, Callable]:
    """(a tensor of that kind, the forward function)."""
    import ulysses_torch as ulysses

    return ulysses.empty if kind == "shared" else torch.empty, lambda x: ulysses.scatter_heads(x, group=group)


def deepspeed_forward() -> Callable:
    import deepspeed.comm as comm
    from deepspeed.sequence.layer import _SeqAllToAll

    if not comm.is_initialized():
        comm.init_distributed("gloo", verbose=False)
    return lambda x: _SeqAllToAll.apply(dist.group.WORLD, x, 2, 1, 0)


def timed(step: Callable[[], None]) -> float:
    """Seconds of the slowest rank."""
    dist.barrier()
    start = time.perf_counter()
    step()
    took = torch.tensor([time.perf_counter() - start])
    dist.all_reduce(took, op=dist.ReduceOp.MAX)
    return took.item()


class Contender:
    """One implementation with tensors of its own, which it keeps, as a training step keeps its activations' places."""

    def __init__(self, make: Callable, forward: Callable, shape: tuple[int, ...], dtype: torch.dtype, ranks: int) -> None:
        self.forward = forward
        self.x = make(shape, dtype=dtype).copy_(torch.randn(shape)).requires_grad_()
        gathered = (shape[0], shape[1] * ranks, shape[2] // ranks, shape[3])
        self.gradient = make(gathered, dtype=dtype).copy_(torch.ones(gathered))
        self.y = None

    def run_forward(self) -> None:
        self.y = self.forward(self.x)

    def run_backward(self) -> None:
        self.y.backward(self.gradient)

    def round(self) -> tuple[float, float]:
        with torch.no_grad():
            self.x.mul_(-1)
            self.gradient.mul_(-1)
        self.x.grad = self.y = None
        return timed(self.run_forward), timed(self.run_backward)


def measure(options: argparse.Namespace, dtype: torch.dtype, kind: str, ranks: int) -> dict:
    make, forward = makers(kind, dist.group.WORLD)
    shape = (1, options.seq // ranks, options.heads, options.head_dim)
    ours = Contender(make, forward, shape, dtype, ranks)
    theirs = Contender(torch.empty, deepspeed_forward(), shape, dtype, ranks)
    with torch.no_grad():
        theirs.x.copy_(ours.x)
    rounds = [(ours.round(), theirs.round()) for _ in range(options.warmup + options.rounds)][options.warmup :]
    assert torch.equal(ours.y, theirs.y) and torch.equal(ours.x.grad, theirs.x.grad)
    row: dict = {"ranks": ranks, "dtype": str(dtype).removeprefix("torch."), "memory": kind}
    for index, direction in enumerate(("forward", "backward")):
        row[direction] = {
            "ours_us": statistics.median(our[index] for our, _ in rounds) * 1e6,
            "theirs_us": statistics.median(their[index] for _, their in rounds) * 1e6,
            "ratio": statistics.median(their[index] / our[index] for our, their in rounds),
        }
    return row


def show(row: dict) -> None:
    cells = [f"{row['ranks']:5} {row['dtype']:>9} {row['memory']:>8}"]
    for direction in ("forward", "backward"):
        part = row[direction]
        cells.append(f"{part['ours_us']:10.0f} {part['theirs_us']:10.0f} {part['ratio']:8.1f}x")
    print(" ".join(cells), flush=True)


def run_rank(rank: int, options: argparse.Namespace, store: str) -> None:
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {rank % os.cpu_count()})
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(options.ranks), LOCAL_RANK=str(rank))
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=options.ranks)
    rows = []
    for dtype in (torch.bfloat16, torch.float32):
        for kind in KINDS:
            rows.append(measure(options, dtype, kind, options.ranks))
            if rank == 0:
                show(rows[-1])
    if rank == 0 and options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"options": vars(options), "rows": rows}, file, indent=1)
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"ranks": 2, "seq": 8192, "heads": 32, "head-dim": 128, "rounds": 11, "warmup": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", help="write the rows there")
    options = parser.parse_args()
    print(f"# scatter heads [1, {options.seq}/{options.ranks}, {options.heads}, {options.head_dim}] by ulysses_torch and by DeepSpeed over gloo")
    print("# ranks     dtype   memory  forward us  theirs us     ratio  backward  theirs us     ratio")
    with tempfile.TemporaryDirectory() as directory:
        mp.spawn(run_rank, (options, os.path.join(directory, "store")), nprocs=options.ranks)


if __name__ == "__main__":
    main()
