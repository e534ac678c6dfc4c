# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What the collectives should give, by indexing whole tensors that every rank can make."""

from __future__ import annotations

import torch
import ulysses_torch as ulysses
from ulysses_torch.geometry import split_of


def whole(layout: str, sequence: int, batch: int, heads: int, head_dim: int, dtype=torch.float32, seed=0) -> torch.Tensor:
    """The same at every rank."""
    extents = {"s": sequence, "b": batch, "h": heads, "d": head_dim}
    generator = torch.Generator().manual_seed(seed)
    shape = [extents[axis] for axis in layout]
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(0, 100, shape, generator=generator).to(dtype)


def narrow(tensor: torch.Tensor, layout: str, axis: str, begin: int, count: int) -> torch.Tensor:
    return tensor.narrow(layout.index(axis), begin, count)


def token_shard(tensor: torch.Tensor, layout: str, geometry: ulysses.Geometry, ranks: int, rank: int) -> torch.Tensor:
    """A view of the tokens of a rank, in sequence order (contiguous order only)."""
    begin = sum(split_of(geometry, ranks, r).tokens for r in range(rank))
    return narrow(tensor, layout, "s", begin, split_of(geometry, ranks, rank).tokens)


def head_shard(tensor: torch.Tensor, layout: str, geometry: ulysses.Geometry, ranks: int, rank: int, kv=False):
    split = split_of(geometry, ranks, rank)
    if kv:
        return narrow(tensor, layout, "h", split.kv_head_begin, split.kv_heads)
    return narrow(tensor, layout, "h", split.query_head_begin, split.query_heads)
