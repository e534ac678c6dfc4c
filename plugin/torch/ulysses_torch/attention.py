# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The attention operator as one differentiable function: exchanges and attention in one call of the library."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from . import memory
from .attention_library import (
    OPTIONS_MAGIC,
    OPTIONS_VERSION,
    TENSORS_MAGIC,
    TENSORS_VERSION,
    AttentionTensor,
    Options,
    Tensors,
    check,
    load,
)
from .communicator import Communicator, communicator_of
from .errors import InternalError, InvalidArgumentError, UlyssesError
from .exchange import DTYPES, Call, Item, require_input
from .functional import Group, scattering
from .geometry import struct_of
from .library import KIND_KV, KIND_QUERY, LAYOUT_STRIDED, OP_SCATTER_HEADS, lib
from .local_attention import Callback, LocalFunctionOfTensors, torch_attention

Local = str | LocalFunctionOfTensors
_LOCALS = ("builtin", "oracle", "torch")


def _prepared(comm: Communicator, make):
    """make(); an exception of it is told to the peers, who wait for this rank's first exchange."""
    try:
        return make()
    except Exception as error:
        result = error.result if isinstance(error, UlyssesError) and error.result > 0 else InternalError.result
        lib.ulyssesRefuse(OP_SCATTER_HEADS, result, (str(error) or repr(error)).encode(), comm.handle)
        raise


@dataclass(frozen=True)
class Attention:
    """How to attend, and who takes part: everything but the tensors."""

    exchange: Call  # of Q, K and V
    local: Local
    causal: bool
    scale: float
    window: tuple[int, int]
    sinks: tuple[float, ...] | None
    slopes: tuple[float, ...] | None
    head_groups: int
    threads: int

    @property
    def layout(self) -> str:
        return self.exchange.items[0].layout

    def callback(self) -> Callback | None:
        """Of a local attention in Python; it must outlive the call."""
        if self.local in ("builtin", "oracle"):
            return None
        return Callback(torch_attention if self.local == "torch" else self.local)

    def options(self, callback: Callback | None) -> Options:
        options = Options(
            size=ctypes.sizeof(Options), magic=OPTIONS_MAGIC, version=OPTIONS_VERSION, causal=self.causal,
            threads=self.threads, scale=self.scale, windowLeft=self.window[0], windowRight=self.window[1],
            headGroups=self.head_groups,
        )  # fmt: skip
        for name in ("sinks", "slopes"):
            if (values := getattr(self, name)) is not None:
                setattr(options, name, (ctypes.c_float * len(values))(*values))
        if callback is not None:
            options.local = callback.address
        elif self.local == "oracle":
            options.local = ctypes.cast(load().ulyssesAttentionOracle, ctypes.c_void_p).value
            options.localWorkspace = ctypes.cast(load().ulyssesAttentionOracleWorkspace, ctypes.c_void_p).value
        return options

    def describe(self, tensor: torch.Tensor, kind: int = KIND_QUERY) -> AttentionTensor:
        """A tensor of the sequence-sharded side, all heads, with a dimension for head_dim."""
        strides = self.exchange.strides(tensor, Item(kind, self.layout), self.layout, head_side=False)
        return AttentionTensor(data=tensor.data_ptr(), layout=LAYOUT_STRIDED, strides=strides)

    def describe_all(self, query, key, value, output, lse) -> Tensors:
        return Tensors(
            size=ctypes.sizeof(Tensors), magic=TENSORS_MAGIC, version=TENSORS_VERSION, headDim=query.shape[-1],
            vHeadDim=value.shape[-1], dtype=DTYPES[query.dtype], query=self.describe(query),
            key=self.describe(key, KIND_KV), value=self.describe(value, KIND_KV), output=self.describe(output),
            lse=self.describe(lse.unsqueeze(-1)),
        )  # fmt: skip

    def require(self, inputs: Sequence[torch.Tensor]) -> None:
        """What the library cannot see through pointers."""
        for index, tensor in enumerate(inputs):
            require_input(self.exchange, index, tensor)
            if tensor.dtype != inputs[0].dtype:
                raise InvalidArgumentError(f"tensors[{index}] is {tensor.dtype}, query is {inputs[0].dtype}")
        if inputs[1].shape[-1] != inputs[0].shape[-1]:
            raise InvalidArgumentError(f"key has head_dim {inputs[1].shape[-1]}, query has {inputs[0].shape[-1]}")
        for name in ("sinks", "slopes"):
            values, heads = getattr(self, name), self.exchange.geometry.heads
            if values is not None and len(values) != heads:
                raise InvalidArgumentError(f"{name} has {len(values)} values: want one of each of the {heads} heads")

    def run(self, tensors: Tensors, *, backward: bool) -> None:
        library, comm = load(), self.exchange.comm
        callback = self.callback()
        options, geometry = self.options(callback), struct_of(self.exchange.geometry)
        workspace = self._workspace(geometry, tensors, options, backward)
        function = library.ulyssesAttentionBackward if backward else library.ulyssesAttentionForward
        size = workspace.numel() if workspace is not None else 0
        pointer = workspace.data_ptr() if size > 0 else None
        result = function(geometry, tensors, options, pointer, size, comm.handle, None, None)
        if callback is not None and callback.raised is not None:
            raise callback.raised  # itself, from where it was raised; peers have RemoteInvalidError
        check(result)

    def _workspace(self, geometry, tensors: Tensors, options: Options, backward: bool) -> torch.Tensor | None:
        """From the blocks that are kept, so that a training loop maps nothing. None: the call itself will say why not."""
        size, comm = ctypes.c_size_t(), self.exchange.comm
        if load().ulyssesAttentionWorkspaceBytes(geometry, tensors, options, backward, comm.ranks, comm.rank, size):
            return None
        return _prepared(comm, lambda: memory.empty(size.value, dtype=torch.uint8))


def _with_contiguous_head_dim(tensor: torch.Tensor) -> torch.Tensor:
    """A gradient may be expanded, as that of sum()."""
    return tensor if tensor.shape[-1] <= 1 or tensor.stride(-1) == 1 else tensor.contiguous()


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, attention: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor):
        def make() -> tuple[torch.Tensor, torch.Tensor, Tensors]:
            attention.require((query, key, value))
            output = memory.empty(*query.shape[:-1], value.shape[-1], dtype=query.dtype)
            lse = memory.empty(*query.shape[:-1], dtype=torch.float32)
            memory.prepare(attention.exchange.comm.handle, [query, key, value])
            return output, lse, attention.describe_all(query, key, value, output, lse)

        output, lse, tensors = _prepared(attention.exchange.comm, make)
        attention.run(tensors, backward=False)
        ctx.attention = attention
        ctx.save_for_backward(query, key, value, output, lse)
        ctx.mark_non_differentiable(lse)
        return output, lse

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: torch.Tensor, _lse_gradient):
        attention, (query, key, value, output, lse) = ctx.attention, ctx.saved_tensors
        gradient = _with_contiguous_head_dim(gradient)

        def make() -> tuple[list[torch.Tensor], Tensors]:
            gradients = [memory.empty_like(x) for x in (query, key, value)]
            tensors = attention.describe_all(query, key, value, output, lse)
            tensors.outputGradient = attention.describe(gradient)
            names = zip(("queryGradient", "keyGradient", "valueGradient"), gradients, (KIND_QUERY, KIND_KV, KIND_KV))
            for name, made, kind in names:
                setattr(tensors, name, attention.describe(made, kind))
            memory.prepare(attention.exchange.comm.handle, [query, key, value, gradient])
            return gradients, tensors

        gradients, tensors = _prepared(attention.exchange.comm, make)
        attention.run(tensors, backward=True)
        return None, *gradients


def _numbers(values: Sequence[float] | torch.Tensor | None) -> tuple[float, ...] | None:
    return tuple(float(value) for value in values) if values is not None else None


def _require_local(local: Local) -> None:
    if not callable(local) and local not in _LOCALS:
        raise InvalidArgumentError(f"local={local!r}: want one of {', '.join(_LOCALS)}, or a function of a LocalProblem")


def _exchange_of(
    comm: Communicator, query: torch.Tensor, key: torch.Tensor, layout: str, tokens, query_heads, order: str, cu_seqlens
) -> Call:
    axis = layout.find("h")
    if not 0 <= axis < min(query.dim(), key.dim()):
        raise InvalidArgumentError(f"query and key have {query.dim()} and {key.dim()} dimensions, the layout is {layout!r}")
    geometry = scattering(
        comm, query, layout, query.shape[axis], key.shape[axis], tokens, query_heads, order, cu_seqlens
    )
    return Call(comm, True, geometry, tuple(Item(kind, layout, layout) for kind in (KIND_QUERY, KIND_KV, KIND_KV)))


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, group: Group = None, local: Local = "builtin",
    causal: bool = False, scale: float | None = None, window: tuple[int, int] = (-1, -1),
    sinks: Sequence[float] | torch.Tensor | None = None, slopes: Sequence[float] | torch.Tensor | None = None,
    layout: str = "bshd", tokens: Sequence[int] | None = None, query_heads: Sequence[int] | None = None,
    order: str = "contiguous", cu_seqlens: Sequence[int] | None = None, head_groups: int = 0, threads: int = 0,
    return_lse: bool = False,
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Exact attention over the whole sequence: a slice of Q, K and V in, that of O out, all heads. Differentiable, once.

    query: [B, S_r, H, D], key: [B, S_r, Hkv, D], value: [B, S_r, Hkv, Dv], or another layout; any strides but a
    contiguous head_dim. KV heads may be fewer than ranks. Tokens see their own packed sequence (cu_seqlens) only.
    local: who attends at this rank: "builtin" (the library's, which has all options), "torch" (scaled_dot_product_attention;
    window, sinks and slopes are NotSupportedError), "oracle" (float64 loops) or a function that gets a LocalProblem.
    scale: None for head_dim^-0.5. window: (left, right), -1 for no bound. sinks, slopes: of all heads; no gradient.
    threads: of the built-in one; 0: torch.get_num_threads(). return_lse: also float32 [B, S_r, H], without a gradient.
    An exception in `local` comes out here, and as RemoteInvalidError at the other ranks.
    """
    comm = communicator_of(group)

    def make() -> Attention:
        load()
        _require_local(local)
        exchange = _exchange_of(comm, query, key, layout, tokens, query_heads, order, cu_seqlens)
        resolved = 0.0 if scale is None else float(scale)
        if scale is not None and resolved == 0:
            raise InvalidArgumentError("scale=0: every score would be 0; want another number, or None (head_dim^-0.5)")
        return Attention(
            exchange, local, bool(causal), resolved, (int(window[0]), int(window[1])), _numbers(sinks), _numbers(slopes),
            head_groups, threads or torch.get_num_threads(),
        )  # fmt: skip

    output, lse = _Attention.apply(_prepared(comm, make), query, key, value)
    return (output, lse) if return_lse else output
