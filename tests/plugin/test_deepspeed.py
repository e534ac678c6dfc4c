# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""DeepSpeed's own functions, over gloo, beside the drop-ins: the same values and gradients, bit for bit where both move."""

from __future__ import annotations

import types

import pytest
import torch
import torch.distributed as dist
from test_autograd import attend
from ulysses_torch import deepspeed as ours

pytest.importorskip("deepspeed.sequence.layer")


def theirs(rank: int):
    """Their module, ready to use, at this rank; their uneven path asks a process-wide object which rank it is."""
    import deepspeed.comm as comm
    from deepspeed.sequence import layer
    from deepspeed.utils import groups

    if not comm.is_initialized():
        comm.init_distributed("gloo", verbose=False)
    groups.mpu = types.SimpleNamespace(get_sequence_parallel_rank=lambda: rank)
    return layer


def run_both(rank, shape, dtype, scatter_idx, gather_idx, batch_dim_idx, num_kv_heads=None):
    layer = theirs(rank)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(rank)).to(dtype)
    results = []
    for function in (layer._SeqAllToAll.apply, None):
        leaf = x.clone().requires_grad_()
        if function:
            out = function(dist.group.WORLD, leaf, scatter_idx, gather_idx, batch_dim_idx, None, None, None, True, num_kv_heads)
        else:
            out = ours.single_all_to_all(leaf, scatter_idx, gather_idx, batch_dim_idx, None, num_kv_heads=num_kv_heads)
        weight = torch.arange(out.numel(), dtype=torch.float32).view(out.shape).to(dtype) / 7
        (out * weight).sum().backward()
        results.append((out.detach(), leaf.grad))
    return results


def check_single(rank, ranks, dtype, batch_dim_idx, scatters):
    sequence = 4 if scatters else 4 * ranks
    shape = [sequence, 2, 8 if scatters else 8 // ranks, 16]
    if batch_dim_idx == 0:
        shape[0], shape[1] = shape[1], shape[0]
    indices = (2, 1 - batch_dim_idx) if scatters else (1 - batch_dim_idx, 2)
    (their_out, their_grad), (our_out, our_grad) = run_both(rank, shape, dtype, *indices, batch_dim_idx)
    assert torch.equal(their_out, our_out) and torch.equal(their_grad, our_grad)


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_single_all_to_all(team, ranks, dtype):
    for batch_dim_idx in (0, 1):
        for scatters in (True, False):
            team(ranks).run(check_single, dtype, batch_dim_idx, scatters)


def check_uneven(rank, ranks, heads, num_kv_heads, batch_dim_idx):
    """Scattering only: the way back of theirs goes through their backward."""
    shape = [4, 2, heads, 16] if batch_dim_idx else [2, 4, heads, 16]
    (their_out, their_grad), (our_out, our_grad) = run_both(rank, shape, torch.float32, 2, 1 - batch_dim_idx, batch_dim_idx, num_kv_heads)
    assert torch.equal(their_out, our_out)
    assert torch.equal(their_grad.view(our_grad.shape), our_grad)


@pytest.mark.parametrize("heads, num_kv_heads", [(5, 5), (7, 7), (10, 5)])
def test_uneven_heads(team, heads, num_kv_heads):
    for batch_dim_idx in (0, 1):
        team(2).run(check_uneven, heads, num_kv_heads, batch_dim_idx)
        team(4).run(check_uneven, heads, num_kv_heads, batch_dim_idx)


class LocalAttention(torch.nn.Module):
    """[S, B, H, D] as Megatron has it, or batch first."""

    def __init__(self, batch_dim_idx: int) -> None:
        super().__init__()
        self.batch_dim_idx = batch_dim_idx

    def forward(self, q, k, v):
        if self.batch_dim_idx == 0:
            return attend(q, k, v).contiguous()
        return attend(*(x.transpose(0, 1) for x in (q, k, v))).transpose(0, 1).contiguous()


def layer_of(module, batch_dim_idx, tensors):
    leaves = [x.clone().requires_grad_() for x in tensors]
    out = module(*leaves, batch_dim_idx)
    (out.float() * torch.arange(out.numel()).view(out.shape) / out.numel()).sum().backward()
    return [out.detach()] + [leaf.grad for leaf in leaves]


def check_attention(rank, ranks, dtype, heads, kv_heads, batch_dim_idx):
    shape = lambda h: (4, 2, h, 16) if batch_dim_idx else (2, 4, h, 16)  # noqa: E731
    tensors = [torch.randn(shape(h), generator=torch.Generator().manual_seed(10 * rank + i)).to(dtype) for i, h in enumerate((heads, kv_heads, kv_heads))]
    local = LocalAttention(batch_dim_idx)
    their_module = theirs(rank).DistributedAttention(local, dist.group.WORLD, 2, 1 - batch_dim_idx)
    our_module = ours.DistributedAttention(local, None, 2, 1 - batch_dim_idx)
    for their, our in zip(layer_of(their_module, batch_dim_idx, tensors), layer_of(our_module, batch_dim_idx, tensors)):
        assert torch.equal(their, our.view(their.shape))


@pytest.mark.parametrize("ranks, heads, kv_heads", [(2, 4, 4), (4, 8, 8), (2, 8, 2), (4, 8, 4), (2, 6, 3)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_distributed_attention(team, ranks, heads, kv_heads, dtype):
    for batch_dim_idx in (0, 1):
        team(ranks).run(check_attention, dtype, heads, kv_heads, batch_dim_idx)


def check_few_kv_heads(rank, ranks):
    """Fewer KV heads than ranks: theirs refuses, ours is the same as one process with all of it."""
    tensors = [torch.randn(2, 4, h, 16) for h in (8, 2, 2)]
    with pytest.raises(AssertionError, match="must be at least the sequence parallel"):
        theirs(rank).DistributedAttention(LocalAttention(0), dist.group.WORLD, 2, 1)(*tensors, 0)
    gathered = [[torch.empty_like(x) for _ in range(ranks)] for x in tensors]
    for parts, x in zip(gathered, tensors):
        dist.all_gather(parts, x)
    want = attend(*(torch.cat(parts, 1) for parts in gathered))[:, 4 * rank : 4 * rank + 4]
    got = ours.DistributedAttention(LocalAttention(0), None, 2, 1)(*tensors, 0)
    torch.testing.assert_close(got, want)


def test_fewer_kv_heads_than_ranks(team):
    team(4).run(check_few_kv_heads)


def check_rotary(rank, ranks):
    tensors = [torch.randn(4, 2, 4, 16, generator=torch.Generator().manual_seed(rank + i)) for i in range(3)]
    angles = torch.randn(1, 4 * ranks, 1, 8, generator=torch.Generator().manual_seed(5))
    freqs = (angles.cos(), angles.sin())
    local = LocalAttention(1)
    their = theirs(rank).DistributedAttention(local, dist.group.WORLD)(*tensors, 1, freqs)
    assert torch.equal(their, ours.DistributedAttention(local, None)(*tensors, 1, freqs))


def test_rotary(team):
    team(2).run(check_rotary)
