# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""One collective call: torch tensors in, torch tensors out, no autograd."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from . import memory
from .communicator import Communicator
from .errors import InvalidArgumentError, UlyssesError
from .geometry import Geometry, split_of, struct_of
from .library import KIND_KV, KIND_QUERY, LAYOUT_STRIDED, MAX_TENSORS, TENSOR_SUM, Strides, TensorStruct, check, lib

DTYPES = {
    torch.float64: 0, torch.float32: 1, torch.float16: 2, torch.bfloat16: 3, torch.float8_e4m3fn: 4,
    torch.float8_e5m2: 5, torch.int8: 6, torch.uint8: 7, torch.int32: 8, torch.int64: 9, torch.bool: 7,
}  # fmt: skip


def axes_of(layout: str) -> dict[str, int]:
    """Axis of s, b, h and d in a layout such as "bshd", or "shd" for packed tensors without a batch; d is the last."""
    if sorted(layout) not in (list("bdhs"), list("dhs")) or not layout.endswith("d"):
        raise ValueError(f"layout={layout!r}: want an order of s, b, h and d that ends with d, or shd")
    return {axis: place for place, axis in enumerate(layout)}


@dataclass(frozen=True)
class Item:
    """One tensor of a call, but for its memory."""

    kind: int = KIND_QUERY
    layout: str = "bshd"
    out_layout: str = "bshd"
    sum: bool = False

    def reversed(self, summed: bool) -> Item:
        return replace(self, layout=self.out_layout, out_layout=self.layout, sum=summed and self.kind == KIND_KV)


@dataclass(frozen=True)
class Call:
    """A collective of a communicator: everything but the tensors."""

    comm: Communicator
    scatters: bool
    geometry: Geometry
    items: tuple[Item, ...]
    shared_output: bool = True

    def adjoint(self) -> Call:
        """What carries gradients back: shared KV heads, which scattering replicates, are summed, and the other way."""
        items = tuple(item.reversed(summed=self.scatters) for item in self.items)
        return replace(self, scatters=not self.scatters, items=items)

    def extents(self, item: Item, head_side: bool) -> dict[str, int]:
        """s, b and h of a tensor at this rank, on the head-sharded side or the other."""
        split = split_of(self.geometry, self.comm.ranks, self.comm.rank)
        whole = (self.geometry.kv_heads or self.geometry.heads) if item.kind == KIND_KV else self.geometry.heads
        own = split.kv_heads if item.kind == KIND_KV else split.query_heads
        return {
            "s": self.geometry.sequence if head_side else split.tokens,
            "b": self.geometry.batch,
            "h": own if head_side else whole,
        }

    def strides(self, tensor: torch.Tensor, item: Item, layout: str, head_side: bool) -> Strides:
        axes = axes_of(layout)
        head = tensor.stride(axes["h"])
        group = 1
        if item.kind == KIND_QUERY:
            split = split_of(self.geometry, self.comm.ranks, self.comm.rank)
            local = split.query_heads // split.kv_heads if split.kv_heads else 1
            group = local if head_side else self.geometry.group_size
        batch = tensor.stride(axes["b"]) if "b" in axes else 0
        return Strides(tensor.stride(axes["s"]), batch, group * head, head)


def require_input(call: Call, index: int, tensor: torch.Tensor) -> None:
    item, name = call.items[index], f"tensors[{index}]"
    if tensor.device.type != "cpu":
        raise InvalidArgumentError(f"{name} is on {tensor.device}: this library exchanges CPU tensors")
    if tensor.dtype not in DTYPES:
        raise InvalidArgumentError(f"{name} is {tensor.dtype}: want one of {', '.join(map(str, DTYPES))}")
    if tensor.dim() != len(item.layout):
        raise InvalidArgumentError(f"{name} has {tensor.dim()} dimensions, its layout is {item.layout!r}")
    if tensor.shape[-1] > 1 and tensor.stride(-1) != 1:
        raise InvalidArgumentError(
            f"{name}: head_dim has stride {tensor.stride(-1)}: it alone must be contiguous; any other strides will do"
        )
    axes = axes_of(item.layout)
    for axis, extent in call.extents(item, head_side=not call.scatters).items():
        if axis in axes and tensor.shape[axes[axis]] != extent:
            what = {"s": "tokens", "b": "sequences (batch)", "h": "heads"}[axis]
            raise InvalidArgumentError(
                f"{name} has {tensor.shape[axes[axis]]} {what} in dimension {axes[axis]}; by {call.geometry} rank "
                f"{call.comm.rank} of {call.comm.ranks} passes {extent}"
            )
    if "b" not in axes and call.geometry.batch != 1:
        raise InvalidArgumentError(f"{name}: layout {item.layout!r} has no batch, and batch is {call.geometry.batch}")


def _output_for(call: Call, item: Item, tensor: torch.Tensor) -> torch.Tensor:
    extents = call.extents(item, head_side=call.scatters) | {"d": tensor.shape[-1]}
    shape = [extents[axis] for axis in item.out_layout]
    return memory.empty(shape, dtype=tensor.dtype) if call.shared_output else torch.empty(shape, dtype=tensor.dtype)


def _describe(call: Call, item: Item, tensor: torch.Tensor, output: torch.Tensor) -> TensorStruct:
    return TensorStruct(
        input=tensor.data_ptr(), output=output.data_ptr(), headDim=tensor.shape[-1], dtype=DTYPES[tensor.dtype],
        kind=item.kind, inputLayout=LAYOUT_STRIDED, outputLayout=LAYOUT_STRIDED,
        inputStrides=call.strides(tensor, item, item.layout, head_side=not call.scatters),
        outputStrides=call.strides(output, item, item.out_layout, head_side=call.scatters),
        flags=TENSOR_SUM if item.sum else 0,
    )  # fmt: skip


def run(call: Call, tensors: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """All tensors in one exchange; blocks until it is complete. Outputs are new tensors."""
    if not 1 <= len(tensors) <= MAX_TENSORS:
        raise InvalidArgumentError(f"{len(tensors)} tensors: want 1 to {MAX_TENSORS}")
    function = lib.ulyssesScatterHeads if call.scatters else lib.ulyssesGatherHeads
    try:
        for index, tensor in enumerate(tensors):
            require_input(call, index, tensor)
    except UlyssesError:
        # The peers wait for this rank's call: one that the library refuses tells them at once (headDim is 0 here).
        function(struct_of(call.geometry), TensorStruct(), 1, call.comm.handle, None)
        raise
    memory.prepare(call.comm.handle, tensors)
    outputs = tuple(_output_for(call, item, tensor) for item, tensor in zip(call.items, tensors))
    described = (TensorStruct * len(tensors))(
        *(_describe(call, *parts) for parts in zip(call.items, tensors, outputs))
    )
    check(function(struct_of(call.geometry), described, len(tensors), call.comm.handle, None))
    return outputs
