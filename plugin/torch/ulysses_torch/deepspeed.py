# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for deepspeed.sequence.layer: the same calls, one fused exchange instead of permutes around an all-to-all.

Query, key and value travel together. KV heads need not be as many as ranks. Tensors are [S, B, H, D] with
batch_dim_idx=1 and [B, S, H, D] with batch_dim_idx=0, as there.
"""

from __future__ import annotations

from typing import Any

import torch

from .communicator import communicator_of
from .errors import NotSupportedError
from .exchange import Call, Item
from .functional import Group, exchange, gather_heads, scatter_qkv
from .geometry import Geometry
from .library import KIND_QUERY


def _layout(batch_dim_idx: int) -> str:
    if batch_dim_idx not in (0, 1):
        raise ValueError(f"batch_dim_idx={batch_dim_idx}: want 0 or 1")
    return "bshd" if batch_dim_idx == 0 else "sbhd"


def _require_indices(scatter_idx: int, gather_idx: int, batch_dim_idx: int) -> None:
    """Scattering heads takes dimension 2 and gathers the sequence's; the way back is the reverse."""
    sequence = 1 - batch_dim_idx
    if {scatter_idx, gather_idx} != {2, sequence}:
        raise ValueError(
            f"scatter_idx={scatter_idx}, gather_idx={gather_idx}, batch_dim_idx={batch_dim_idx}: with the batch in "
            f"dimension {batch_dim_idx} heads (2) and sequence ({sequence}) are exchanged"
        )


def single_all_to_all(
    input: torch.Tensor, scatter_idx: int, gather_idx: int, batch_dim_idx: int, group: Group, async_op: bool = False,
    handle: dict | None = None, type: str | None = None, num_kv_heads: int | None = None,
) -> torch.Tensor:  # fmt: skip
    """One tensor, scattered along one dimension and gathered along the other; differentiable.

    num_kv_heads: heads are dealt by KV groups of this number, as they are there when it does not divide.
    """
    if async_op:
        raise NotSupportedError("async_op: CPU exchanges are blocking; leave it False")
    _require_indices(scatter_idx, gather_idx, batch_dim_idx)
    comm, layout = communicator_of(group), _layout(batch_dim_idx)
    scatters = scatter_idx == 2
    batch, sequence, heads = input.shape[batch_dim_idx], input.shape[1 - batch_dim_idx], input.shape[2]
    if scatters:
        sequence *= comm.ranks
    else:
        heads = _all_heads(comm, heads, num_kv_heads)
    geometry = Geometry(sequence, batch, heads, num_kv_heads or heads)
    call = Call(comm, scatters, geometry, (Item(KIND_QUERY, layout, layout),))
    return exchange(call, input)[0]


def _all_heads(comm, local: int, num_kv_heads: int | None) -> int:
    """Heads of all ranks by those of this one, which holds its share of the KV groups."""
    if num_kv_heads is None or num_kv_heads % comm.ranks == 0:
        return local * comm.ranks
    groups = num_kv_heads // comm.ranks + (comm.rank < num_kv_heads % comm.ranks)
    return local // max(groups, 1) * num_kv_heads


class DistributedAttention(torch.nn.Module):
    """Attention over the whole sequence by a module that sees a slice of the heads.

    local_attention(query, key, value, *args, **kwargs) gets [S, B, H/P, D] (or [B, S, H/P, D]) and returns its output in
    the same layout. sp_stream has no meaning for CPU tensors.
    """

    def __init__(
        self, local_attention: torch.nn.Module, sequence_process_group: Group, scatter_idx: int = 2,
        gather_idx: int = 0, sp_stream=None, num_kv_heads: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if sp_stream is not None:
            raise NotSupportedError("sp_stream: CPU tensors have no streams; leave it None")
        self.local_attn = local_attention
        self.group = sequence_process_group
        self.scatter_idx, self.gather_idx = scatter_idx, gather_idx
        self.num_kv_heads = num_kv_heads

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, batch_dim_idx: int,
        rotary_pos_emb: tuple[torch.Tensor, torch.Tensor] | None = None, *args: Any, **kwargs: Any,
    ) -> torch.Tensor:  # fmt: skip
        _require_indices(self.scatter_idx, self.gather_idx, batch_dim_idx)
        comm, layout = communicator_of(self.group), _layout(batch_dim_idx)
        heads, kv_heads = query.shape[2], key.shape[2]
        if self.num_kv_heads not in (None, kv_heads):
            raise ValueError(f"num_kv_heads={self.num_kv_heads}, and key has {kv_heads} heads")
        q, k, v = scatter_qkv(query, key, value, group=comm, layout=layout)
        if rotary_pos_emb is not None:
            cos, sin = (freqs.permute(1, 0, 2, 3) for freqs in rotary_pos_emb)
            q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        context = self.local_attn(q, k, v, *args, **kwargs)
        return gather_heads(context, heads=heads, kv_heads=kv_heads, group=comm, layout=layout)


def _rotate(t: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of the first cos.shape[-1] of head_dim, halves as pairs (the convention of the original)."""
    turned, passed = t[..., : cos.shape[-1]], t[..., cos.shape[-1] :]
    low, high = turned.chunk(2, dim=-1)
    return torch.cat((turned * cos + torch.cat((-high, low), dim=-1) * sin, passed), dim=-1)
