# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Tensors that peers read in place, what is kept and what is given back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import torch
import ulysses_torch as ulysses
from ulysses_torch import memory


def check_kinds(rank, ranks):
    private = torch.randn(2, 4, 4, 16, generator=torch.Generator().manual_seed(rank))
    want = ulysses.scatter_heads(private)
    assert torch.equal(ulysses.scatter_heads(ulysses.empty_like(private).copy_(private)), want)
    shared = private.clone().share_memory_()
    assert torch.equal(ulysses.scatter_heads(shared), want)
    assert shared.untyped_storage().data_ptr() in memory._registrations.by_address
    assert torch.equal(ulysses.scatter_heads(shared[:, :, :2]), ulysses.scatter_heads(private[:, :, :2].contiguous()))
    assert torch.equal(ulysses.scatter_heads(private, shared_output=True), want)


def test_every_kind_of_memory(team):
    team(2).run(check_kinds)


def check_shared_storage_dies(rank, ranks):
    """Its addresses may be another tensor's next: what is registered there must not be what peers read."""
    for step in range(20):
        shared = torch.full((1, 64, 4, 64), float(step + rank)).share_memory_()
        assert (ulysses.scatter_heads(shared)[:, 64 * (1 - rank)] == step + 1 - rank).all()
        address = shared.untyped_storage().data_ptr()
        del shared
        private = torch.full((1, 64, 4, 64), float(-step - rank))
        assert (ulysses.scatter_heads(private)[:, 64 * (1 - rank)] == -step - 1 + rank).all()
        assert address not in memory._registrations.by_address


def test_storage_that_died_is_forgotten(team):
    team(2).run(check_shared_storage_dies)


def test_blocks_are_used_again():
    first = ulysses.empty(1000, 7, dtype=torch.float32)
    address = first.data_ptr()
    view = first[10:]
    del first
    gc.collect()
    assert ulysses.empty(1000, 7).data_ptr() != address, "a view keeps the block"
    del view
    gc.collect()
    assert ulysses.empty(1000, 7).data_ptr() == address
    assert ulysses.empty(0, 3).shape == (0, 3)


def measure() -> tuple[int, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE"), len(os.listdir("/proc/self/fd"))


def check_flat(rank, ranks):
    def step(i: int) -> None:
        q = ulysses.empty(1, 64, 4, 64).fill_(i).requires_grad_()
        k = torch.randn(1, 64, 2, 64).share_memory_().requires_grad_()
        v = torch.randn(1, 64, 2, 64, requires_grad=True)
        sum(x.sum() for x in ulysses.scatter_qkv(q, k, v)).backward()

    for i in range(50):
        step(i)
    gc.collect()
    before = measure()
    for i in range(500):
        step(i)
    gc.collect()
    after = measure()
    assert after[1] <= before[1] + 1, (before, after)
    assert after[0] <= before[0] + (8 << 20), (before, after)


def test_a_training_loop_is_flat(team):
    team(2).run(check_flat)


def test_exit_with_everything_alive():
    """Tensors, registrations and a communicator that nobody destroyed."""
    program = """
import os, torch, torch.distributed as dist, tempfile
store = tempfile.mktemp()
dist.init_process_group("gloo", init_method="file://" + store, rank=0, world_size=1)
import ulysses_torch as ulysses
keep = [ulysses.empty(4, 4), torch.ones(1, 4, 4, 4).share_memory_()]
keep.append(ulysses.scatter_heads(keep[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
