#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What ulysses_perf attention --compare measures beside itself: attention_peer.py torch|deepspeed OPTIONS.

torch: scaled_dot_product_attention on one process, with as many threads as all ranks together.
deepspeed: DeepSpeed's DistributedAttention over gloo, a process for each rank, around the same local attention.
Prints "ready", or why it cannot; then, for each "go N" on standard input, a line of JSON with seconds: {"forward": [...],
"backward": [...]}. Times are of the slowest rank. Ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("torch", "deepspeed"))
    for name in ("ranks", "threads", "seq", "batch", "heads", "kv-heads", "head-dim", "v-head-dim"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--dtype", choices=("f32", "f16", "bf16"), required=True)
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--backward", action="store_true")
    parser.add_argument("--rank", type=int, default=-1, help="of a process that this program starts")
    parser.add_argument("--store", help="where these meet")
    return parser.parse_args()


class Layer:
    """One attention layer with its tensors, [B, S_r, H, D]."""

    def __init__(self, options: argparse.Namespace, ranks: int) -> None:
        import torch

        dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[options.dtype]
        tokens, self.options, self.torch = options.seq // ranks, options, torch

        def make(heads: int, dim: int):
            return torch.randn(options.batch, tokens, heads, dim).to(dtype)

        self.q = make(options.heads, options.head_dim).requires_grad_(options.backward)
        self.k = make(options.kv_heads, options.head_dim).requires_grad_(options.backward)
        self.v = make(options.kv_heads, options.v_head_dim).requires_grad_(options.backward)
        self.gradient = make(options.heads, options.v_head_dim)
        self.attend = self.local

    def local(self, q, k, v, *_, **__):
        """[B, S, H, D], as DeepSpeed wants it."""
        attention = self.torch.nn.functional.scaled_dot_product_attention
        shared = {} if q.shape[2] == k.shape[2] else {"enable_gqa": True}
        out = attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=self.options.causal, **shared)
        return out.transpose(1, 2)

    def run(self, barrier) -> tuple[float, float]:
        self.q.grad = self.k.grad = self.v.grad = None
        barrier()
        start = time.perf_counter()
        out = self.attend(self.q, self.k, self.v)
        forward = time.perf_counter() - start
        if not self.options.backward:
            return forward, 0.0
        barrier()
        start = time.perf_counter()
        out.backward(self.gradient)
        return forward, time.perf_counter() - start


def serve(layer: Layer, barrier, slowest, commands, say) -> None:
    layer.run(barrier)
    say("ready")
    for line in commands:
        times = [slowest(layer.run(barrier)) for _ in range(int(line.split()[1]))]
        say(json.dumps({"forward": [t[0] for t in times], "backward": [t[1] for t in times]}))


# Libraries print on standard output; what the tool reads has the descriptor for itself.
OUTPUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(text: str) -> None:
    print(text, file=OUTPUT, flush=True)


def run_torch(options: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(options.threads * options.ranks)
    serve(Layer(options, 1), lambda: None, lambda times: times, sys.stdin, say)


def run_deepspeed_rank(options: argparse.Namespace) -> None:
    os.environ.update(RANK=str(options.rank), WORLD_SIZE=str(options.ranks), LOCAL_RANK=str(options.rank))
    import torch
    import torch.distributed as dist

    torch.set_num_threads(options.threads)
    if options.threads == 1:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[options.rank % len(cores)]})
    dist.init_process_group("gloo", init_method=f"file://{options.store}", rank=options.rank, world_size=options.ranks)
    import deepspeed.comm as comm
    from deepspeed.sequence.layer import DistributedAttention

    comm.init_distributed("gloo", verbose=False)
    layer = Layer(options, options.ranks)
    distributed = DistributedAttention(layer.local, dist.group.WORLD, scatter_idx=2, gather_idx=1)
    layer.attend = lambda q, k, v: distributed(q, k, v, 0)

    def slowest(times: tuple[float, float]) -> tuple[float, ...]:
        tensor = torch.tensor(times)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return tuple(tensor.tolist())

    serve(layer, dist.barrier, slowest, sys.stdin, say if options.rank == 0 else lambda text: None)


def start_deepspeed(options: argparse.Namespace) -> None:
    if options.heads % options.ranks or options.kv_heads % options.ranks or options.seq % options.ranks:
        return say("DistributedAttention wants heads, KV heads and tokens that the ranks divide")
    import deepspeed.sequence.layer  # noqa: F401  (whether it is there; the ranks would only die)

    with tempfile.TemporaryDirectory() as directory:
        arguments = [sys.executable, *sys.argv, "--store", os.path.join(directory, "store")]
        ranks = [subprocess.Popen([*arguments, "--rank", str(rank)], stdin=subprocess.PIPE,
                                  stdout=OUTPUT if rank == 0 else subprocess.DEVNULL, text=True)
                 for rank in range(options.ranks)]  # fmt: skip
        try:
            for line in sys.stdin:
                for rank in ranks:
                    rank.stdin.write(line)
                    rank.stdin.flush()
        finally:
            for rank in ranks:
                rank.kill()


def main() -> None:
    options = parse()
    try:
        if options.rank >= 0:
            run_deepspeed_rank(options)
        elif options.kind == "torch":
            run_torch(options)
        else:
            start_deepspeed(options)
    except ImportError as error:
        say(f"{sys.executable} cannot import it: {error}")
    except Exception as error:  # noqa: BLE001  (whatever it is, the tool shows it)
        say(f"{type(error).__name__}: {error}".splitlines()[0])


if __name__ == "__main__":
    main()
