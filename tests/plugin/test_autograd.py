# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Gradients: the adjoint, also of replicated KV heads, and to second order."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.distributed as dist
import ulysses_torch as ulysses
from reference import token_shard, whole


def attend(q, k, v):
    group = q.shape[2] // k.shape[2]
    q, k, v = (x.transpose(1, 2) for x in (q, k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def check_layer(rank, ranks, heads, kv_heads, dtype, tolerance):
    """A whole attention layer: gradients of the shards are those of one process with the whole sequence."""
    geometry = ulysses.Geometry(4 * ranks, 2, heads, kv_heads)
    wholes = [whole("bshd", 4 * ranks, 2, h, 8, dtype, seed=i).requires_grad_() for i, h in enumerate((heads, kv_heads, kv_heads))]
    target = whole("bshd", 4 * ranks, 2, heads, 8, dtype, seed=9)
    (attend(*wholes) * target).sum().backward()
    shards = [token_shard(x.detach(), "bshd", geometry, ranks, rank).clone().requires_grad_() for x in wholes]
    q, k, v = ulysses.scatter_qkv(*shards)
    out = ulysses.gather_heads(attend(q, k, v), heads=heads, kv_heads=kv_heads)
    (out * token_shard(target, "bshd", geometry, ranks, rank)).sum().backward()
    for x, shard in zip(wholes, shards):
        torch.testing.assert_close(shard.grad, token_shard(x.grad, "bshd", geometry, ranks, rank), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("ranks, heads, kv_heads", [(1, 4, 4), (2, 4, 4), (2, 4, 1), (4, 8, 2), (4, 4, 1)])
def test_attention_layer(team, ranks, heads, kv_heads):
    team(ranks).run(check_layer, heads, kv_heads, torch.float64, 1e-12)
    team(ranks).run(check_layer, heads, kv_heads, torch.float32, 2e-5)


def directional(rank, ranks, function, shape, seed):
    """The derivative of a sum over all ranks, by autograd and by differences, in one direction for each rank."""
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + rank)).requires_grad_()
    direction = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(100 + rank))

    def total(at):
        value = function(at)
        return (value.sin() * torch.arange(1, value.numel() + 1, dtype=torch.float64).view(value.shape)).sum()

    def everywhere(value):
        dist.all_reduce(value)
        return value

    (gradient,) = torch.autograd.grad(total(x), x)
    by_autograd = everywhere((gradient * direction).sum())
    step = 1e-6
    with torch.no_grad():
        by_differences = everywhere((total(x + step * direction) - total(x - step * direction)) / (2 * step))
    torch.testing.assert_close(by_autograd, by_differences, rtol=1e-6, atol=1e-6)


def check_directional(rank, ranks):
    directional(rank, ranks, lambda x: ulysses.scatter_heads(x), (2, 3, 4, 5), 0)
    directional(rank, ranks, lambda x: ulysses.gather_heads(x), (2, 3 * ranks, 2, 5), 1)
    directional(rank, ranks, lambda x: ulysses.scatter_heads(x, kind="kv", heads=4), (2, 3, 1, 5), 2)
    directional(rank, ranks, lambda x: ulysses.gather_heads(x, kind="kv", heads=4, kv_heads=1, sum=True), (2, 3 * ranks, 1, 5), 3)
    directional(rank, ranks, lambda x: ulysses.scatter_heads(x, out_layout="bhsd"), (2, 3, 4, 5), 4)


def test_against_differences(team):
    team(2).run(check_directional)
    team(4).run(check_directional)


def check_second_order(rank, ranks):
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(rank)).requires_grad_()
    (first,) = torch.autograd.grad((ulysses.scatter_heads(x) ** 3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(second, 6 * x)


def test_second_order(team):
    team(2).run(check_second_order)


def check_unused_and_expanded(rank, ranks):
    q = torch.randn(1, 4, 4, 8, requires_grad=True)
    k = torch.randn(1, 4, 4, 8, requires_grad=True)
    got_q, _, _ = ulysses.scatter_qkv(q, k, k.detach())
    got_q.sum().backward()  # an expanded gradient; k has none
    assert torch.equal(q.grad, torch.ones_like(q)) and torch.equal(k.grad, torch.zeros_like(k))


def test_unused_outputs_and_expanded_gradients(team):
    team(2).run(check_unused_and_expanded)


def check_other_thread(rank, ranks):
    x = torch.randn(1, 4, 4, 8, requires_grad=True)
    y = ulysses.scatter_heads(x)
    thread = threading.Thread(target=lambda: y.backward(torch.ones_like(y)))
    thread.start()
    thread.join()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_backward_on_another_thread(team):
    team(2).run(check_other_thread)


def check_bf16_sum_is_rounded_once(rank, ranks):
    """As the library promises: float32, in rank order."""
    parts = [whole("bshd", 2 * ranks, 1, 1, 64, torch.bfloat16, seed=r) for r in range(ranks)]
    got = ulysses.gather_heads(parts[rank], kind="kv", heads=ranks, kv_heads=1, sum=True)
    total = parts[0].float()
    for part in parts[1:]:
        total = total + part.float()
    assert torch.equal(got, total.bfloat16()[:, 2 * rank : 2 * rank + 2])


def test_sum_is_rounded_once(team):
    team(4).run(check_bf16_sum_is_rounded_once)
