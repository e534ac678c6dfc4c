# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Values, bit for bit, against indexing of the whole tensors."""

from __future__ import annotations

import pytest
import torch
import ulysses_torch as ulysses
from reference import head_shard, token_shard, whole
from ulysses_torch.geometry import token_positions

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int32, torch.uint8, torch.float8_e4m3fn]


def check_there_and_back(rank, ranks, layout, out_layout, dtype, batch, heads, tokens, query_heads):
    sequence = sum(tokens) if tokens else 6 * ranks
    geometry = ulysses.Geometry(sequence, batch, heads, heads, tokens=tokens, query_heads=query_heads)
    all_of_it = whole(layout, sequence, batch, heads, 8, dtype)
    own = token_shard(all_of_it, layout, geometry, ranks, rank)  # a view: strides are not those of a fresh tensor
    options = {"tokens": tokens, "query_heads": query_heads}
    scattered = ulysses.scatter_heads(own, layout=layout, out_layout=out_layout, **options)
    want = head_shard(all_of_it, layout, geometry, ranks, rank)
    want = want.permute([layout.index(axis) for axis in out_layout])
    assert torch.equal(scattered.view(torch.uint8), want.contiguous().view(torch.uint8))
    back = ulysses.gather_heads(scattered, heads=heads, layout=out_layout, out_layout=layout, **options)
    assert torch.equal(back.view(torch.uint8), own.contiguous().view(torch.uint8))


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("layout", ["bshd", "sbhd", "bhsd"])
def test_layouts(team, ranks, layout):
    for out_layout in ("bshd", "sbhd", "bhsd"):
        team(ranks).run(check_there_and_back, layout, out_layout, torch.float32, 2, 8, None, None)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(team, dtype):
    team(2).run(check_there_and_back, "bshd", "bshd", dtype, 2, 4, None, None)


def test_packed_without_batch(team):
    team(2).run(check_there_and_back, "shd", "shd", torch.bfloat16, 1, 4, None, None)


def test_uneven_tokens_and_heads(team):
    team(4).run(check_there_and_back, "bshd", "bhsd", torch.float32, 3, 7, (5, 0, 1, 9), (3, 0, 2, 2))
    team(4).run(check_there_and_back, "sbhd", "sbhd", torch.float32, 1, 7, None, None)


def check_qkv(rank, ranks, heads, kv_heads, value_head_dim):
    geometry = ulysses.Geometry(4 * ranks, 2, heads, kv_heads)
    q, k, v = (whole("bshd", 4 * ranks, 2, h, d, seed=i) for i, (h, d) in enumerate([(heads, 8), (kv_heads, 8), (kv_heads, value_head_dim)]))
    shards = [token_shard(x, "bshd", geometry, ranks, rank) for x in (q, k, v)]
    got = ulysses.scatter_qkv(*shards)
    for x, y, kv in zip((q, k, v), got, (False, True, True)):
        assert torch.equal(y, head_shard(x, "bshd", geometry, ranks, rank, kv=kv))


@pytest.mark.parametrize("ranks, heads, kv_heads", [(2, 8, 2), (4, 8, 2), (4, 4, 1), (4, 6, 3), (2, 6, 1)])
def test_gqa_also_with_fewer_kv_heads_than_ranks(team, ranks, heads, kv_heads):
    team(ranks).run(check_qkv, heads, kv_heads, 16)


def check_slices_of_a_fused_projection(rank, ranks):
    fused = whole("bshd", 4, 2, 3 * 8, 8, seed=rank).view(2, 4, 3, 8, 8)  # [B, S, 3, H, D]
    q, k, v = fused.unbind(2)
    assert not q.is_contiguous()
    for got, plain in zip(ulysses.scatter_qkv(q, k, v), (q, k, v)):
        assert torch.equal(got, ulysses.scatter_heads(plain.contiguous()))


def test_slices_of_a_fused_projection_are_not_copied_first(team):
    team(2).run(check_slices_of_a_fused_projection)


def check_zigzag(rank, ranks):
    geometry = ulysses.Geometry(8 * ranks, 1, 4, 4, order="zigzag")
    x = whole("bshd", 8 * ranks, 1, 4, 8)
    own = x[:, token_positions(geometry, ranks, rank)]
    got = ulysses.scatter_heads(own, order="zigzag")
    assert torch.equal(got, head_shard(x, "bshd", geometry, ranks, rank))
    assert torch.equal(ulysses.gather_heads(got, order="zigzag"), own)


def test_zigzag(team):
    team(2).run(check_zigzag)
    team(4).run(check_zigzag)
