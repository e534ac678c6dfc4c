# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What all ranks must agree on, and what follows of it for each rank."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import torch

from .library import (
    GEOMETRY_MAGIC,
    GEOMETRY_VERSION,
    ORDER_CONTIGUOUS,
    ORDER_ZIGZAG,
    GeometryStruct,
    SplitStruct,
    check,
    lib,
)

_ORDERS = {"contiguous": ORDER_CONTIGUOUS, "zigzag": ORDER_ZIGZAG}


@dataclass(frozen=True)
class Split:
    """Which heads and tokens a rank holds; see ulyssesSplit_t."""

    query_head_begin: int
    query_heads: int
    kv_head_begin: int
    kv_heads: int
    tokens: int
    kv_replica: int
    kv_replicas: int
    imbalance: float


@dataclass(frozen=True)
class Geometry:
    """The whole sequence and all heads: S tokens, B sequences side by side, H query heads, kv_heads of KV (0: H).

    tokens, query_heads: of each rank, None for the default split. order: "contiguous" or "zigzag"; cu_seqlens: ends of
    packed sequences, for zigzag.
    """

    sequence: int
    batch: int
    heads: int
    kv_heads: int = 0
    order: str = "contiguous"
    tokens: tuple[int, ...] | None = None
    query_heads: tuple[int, ...] | None = None
    cu_seqlens: tuple[int, ...] | None = None

    @property
    def group_size(self) -> int:
        """Query heads that share a KV head."""
        return self.heads // self.kv_heads if self.kv_heads else 1


def _array(values: tuple[int, ...] | None):
    return (ctypes.c_int64 * len(values))(*values) if values is not None else None


@lru_cache(maxsize=256)
def struct_of(geometry: Geometry) -> GeometryStruct:
    """The C struct; its arrays live as long as it does."""
    if geometry.order not in _ORDERS:
        raise ValueError(f"order={geometry.order!r}: want one of {', '.join(_ORDERS)}")
    struct = GeometryStruct(
        size=ctypes.sizeof(GeometryStruct), magic=GEOMETRY_MAGIC, version=GEOMETRY_VERSION, sequence=geometry.sequence,
        batch=geometry.batch, heads=geometry.heads, kvHeads=geometry.kv_heads, order=_ORDERS[geometry.order],
    )  # fmt: skip
    struct.arrays = [_array(geometry.tokens), _array(geometry.query_heads), _array(geometry.cu_seqlens)]
    for field, array in zip(("tokens", "queryHeads", "cuSeqlens"), struct.arrays):
        if array is not None:
            setattr(struct, field, ctypes.cast(array, ctypes.POINTER(ctypes.c_int64)))
    struct.nSequences = len(geometry.cu_seqlens) - 1 if geometry.cu_seqlens is not None else 0
    return struct


@lru_cache(maxsize=1024)
def split_of(geometry: Geometry, ranks: int, rank: int) -> Split:
    """What rank `rank` of `ranks` holds. Raises InvalidArgumentError naming what would work."""
    s = SplitStruct()
    check(lib.ulyssesGetSplit(struct_of(geometry), ranks, rank, s))
    return Split(
        s.queryHeadBegin, s.queryHeadCount, s.kvHeadBegin, s.kvHeadCount, s.tokenCount, s.kvReplica, s.kvReplicas,
        s.imbalance,
    )  # fmt: skip


def token_positions(geometry: Geometry, ranks: int, rank: int) -> torch.Tensor:
    """The place in the whole sequence of each token of a rank: int64 [tokens], for RoPE and masks."""
    positions = torch.empty(split_of(geometry, ranks, rank).tokens, dtype=torch.int64)
    pointer = ctypes.cast(positions.data_ptr(), ctypes.POINTER(ctypes.c_int64))
    check(lib.ulyssesGetTokenPositions(struct_of(geometry), ranks, rank, pointer))
    return positions
