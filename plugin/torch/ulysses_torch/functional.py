# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The collectives as differentiable functions. Gradients go through the adjoint collective, to any order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist

from .communicator import Communicator, communicator_of
from .errors import InvalidArgumentError
from .exchange import Call, Item, axes_of, run
from .geometry import Geometry
from .library import KIND_KV, KIND_QUERY

Group = Communicator | dist.ProcessGroup | None
_KINDS = {"query": KIND_QUERY, "kv": KIND_KV}


class _Exchange(torch.autograd.Function):
    @staticmethod
    def forward(ctx, call: Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.call = call
        outputs = run(call, tensors)
        ctx.mark_non_differentiable(*(output for output in outputs if not output.dtype.is_floating_point))
        return outputs

    @staticmethod
    def backward(ctx, *gradients: torch.Tensor):
        # A gradient may be expanded, as that of sum(): head_dim alone must be contiguous.
        whole = tuple(g if g.shape[-1] <= 1 or g.stride(-1) == 1 else g.contiguous() for g in gradients)
        return None, *_Exchange.apply(ctx.call.adjoint(), *whole)


def exchange(call: Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A call of your own making, differentiable; one exchange for all of its tensors."""
    return _Exchange.apply(call, *tensors)


def _kind(kind: str) -> int:
    if kind not in _KINDS:
        raise InvalidArgumentError(f"kind={kind!r}: want one of {', '.join(_KINDS)}")
    return _KINDS[kind]


def _counts(values: Sequence[int] | None) -> tuple[int, ...] | None:
    return tuple(int(value) for value in values) if values is not None else None


def scattering(
    comm: Communicator, tensor: torch.Tensor, layout: str, heads: int, kv_heads: int,
    tokens: Sequence[int] | None, query_heads: Sequence[int] | None, order: str, cu_seqlens: Sequence[int] | None,
) -> Geometry:  # fmt: skip
    axes = axes_of(layout)
    if tensor.dim() != len(layout):
        raise InvalidArgumentError(f"a tensor has {tensor.dim()} dimensions, its layout is {layout!r}")
    sequence = sum(tokens) if tokens is not None else tensor.shape[axes["s"]] * comm.ranks
    if order == "zigzag" and cu_seqlens is not None:
        sequence = int(cu_seqlens[-1])
    batch = tensor.shape[axes["b"]] if "b" in axes else 1
    return Geometry(
        sequence, batch, heads, kv_heads, order, _counts(tokens), _counts(query_heads), _counts(cu_seqlens)
    )


def scatter_heads(
    tensor: torch.Tensor, *, group: Group = None, kind: str = "query", heads: int | None = None, kv_heads: int = 0,
    layout: str = "bshd", out_layout: str | None = None, tokens: Sequence[int] | None = None,
    query_heads: Sequence[int] | None = None, order: str = "contiguous", cu_seqlens: Sequence[int] | None = None,
    shared_output: bool = True,
) -> torch.Tensor:  # fmt: skip
    """A slice of the sequence, all heads -> all of the sequence, a slice of the heads.

    tensor: CPU, any strides but a contiguous head_dim. kind "query": heads is read off the tensor, and kv_heads (0: as
    many) says how they are grouped. kind "kv": kv_heads is read off the tensor, and `heads` says how many query heads
    there are; with fewer KV heads than ranks each is given to all ranks that need it, and gradients are summed.
    tokens: of each rank (None: equal). query_heads: of each rank (None: the default split). shared_output: the result
    in memory that peers read in place, which spares a copy when it is exchanged again.
    """
    comm = communicator_of(group)
    count = tensor.shape[axes_of(layout)["h"]] if tensor.dim() == len(layout) else 0
    if kind == "kv":
        heads, kv_heads = heads if heads is not None else count, count
    geometry = scattering(
        comm, tensor, layout, heads if heads is not None else count, kv_heads, tokens, query_heads, order, cu_seqlens
    )
    item = Item(_kind(kind), layout, out_layout or layout)
    return exchange(Call(comm, True, geometry, (item,), shared_output), tensor)[0]


def scatter_qkv(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, group: Group = None, layout: str = "bshd",
    out_layout: str | None = None, tokens: Sequence[int] | None = None, query_heads: Sequence[int] | None = None,
    order: str = "contiguous", cu_seqlens: Sequence[int] | None = None, shared_output: bool = True,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """scatter_heads of query, key and value in one exchange. head_dim of value may differ; so may the number of heads
    of query and of key and value (GQA), also with fewer KV heads than ranks."""
    comm = communicator_of(group)
    heads, kv_heads = query.shape[axes_of(layout)["h"]], key.shape[axes_of(layout)["h"]]
    geometry = scattering(comm, query, layout, heads, kv_heads, tokens, query_heads, order, cu_seqlens)
    kv = Item(KIND_KV, layout, out_layout or layout)
    items = (Item(KIND_QUERY, layout, out_layout or layout), kv, kv)
    return exchange(Call(comm, True, geometry, items, shared_output), query, key, value)


def gather_heads(
    tensor: torch.Tensor, *, heads: int | None = None, group: Group = None, kind: str = "query", kv_heads: int = 0,
    layout: str = "bshd", out_layout: str | None = None, tokens: Sequence[int] | None = None,
    query_heads: Sequence[int] | None = None, order: str = "contiguous", cu_seqlens: Sequence[int] | None = None,
    sum: bool = False, shared_output: bool = True,
) -> torch.Tensor:  # fmt: skip
    """All of the sequence, a slice of the heads -> a slice of the sequence, all heads.

    heads: query heads of all ranks together; None: as many at every rank as here. kv_heads as it was scattered with.
    sum: of a KV tensor, the values of the ranks that share a head are added, in float32, in rank order, rounded once.
    The rest as in scatter_heads.
    """
    comm = communicator_of(group)
    axes = axes_of(layout)
    if tensor.dim() != len(layout):
        raise InvalidArgumentError(f"a tensor has {tensor.dim()} dimensions, its layout is {layout!r}")
    if heads is None:
        heads = tensor.shape[axes["h"]] * comm.ranks
    batch = tensor.shape[axes["b"]] if "b" in axes else 1
    geometry = Geometry(
        tensor.shape[axes["s"]], batch, heads, kv_heads, order, _counts(tokens), _counts(query_heads),
        _counts(cu_seqlens),
    )  # fmt: skip
    item = Item(_kind(kind), layout, out_layout or layout, sum)
    return exchange(Call(comm, False, geometry, (item,), shared_output), tensor)[0]
