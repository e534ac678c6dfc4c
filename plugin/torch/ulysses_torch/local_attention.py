# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Local attention for the operator, in Python: its C callback, the gathered tensors as torch sees them, torch's kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F

from .attention_library import LocalAttention, LocalFunction, LocalTensor
from .errors import InternalError, NotSupportedError, UlyssesError

_DTYPES = {0: torch.float64, 1: torch.float32, 2: torch.float16, 3: torch.bfloat16}


@dataclass(frozen=True)
class LocalProblem:
    """Attention of this rank's heads over the whole sequence; see ulyssesLocalAttention_t.

    Tensors are views of the operator's memory, [B, heads, S, D], lse and delta [B, heads, S]: what one call returns is
    written into them. They are gone when the call ends. Forward has output and lse to write, backward the gradients.
    """

    causal: bool
    backward: bool
    scale: float
    window: tuple[int, int]  # (left, right); -1: no bound
    cu_seqlens: tuple[int, ...]  # ends of packed sequences, from 0 on
    sinks: torch.Tensor | None
    slopes: torch.Tensor | None
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    lse: torch.Tensor
    output: torch.Tensor | None = None
    output_gradient: torch.Tensor | None = None
    delta: torch.Tensor | None = None
    query_gradient: torch.Tensor | None = None
    key_gradient: torch.Tensor | None = None
    value_gradient: torch.Tensor | None = None


LocalFunctionOfTensors = Callable[[LocalProblem], None]


def _view(given: LocalTensor, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """[B, heads, S, D] in the operator's memory; no copy."""
    strides = (given.batch, given.head, given.sequence, 1)
    elements = 1 + sum((extent - 1) * stride for extent, stride in zip(shape, strides))
    buffer = (ctypes.c_char * (elements * dtype.itemsize)).from_address(given.data)
    return torch.frombuffer(buffer, dtype=dtype, count=elements).as_strided(shape, strides)


def _numbers(pointer, count: int) -> torch.Tensor | None:
    return torch.tensor(pointer[:count], dtype=torch.float32) if pointer else None


def problem_of(p: LocalAttention) -> LocalProblem:
    dtype, heads, kv_heads = _DTYPES[p.dtype], p.heads, p.kvHeads

    def of(name: str, count: int, dim: int) -> torch.Tensor | None:
        given = getattr(p, name)
        return _view(given, (p.batch, count, p.sequence, dim), dtype) if given.data else None

    def row(given: LocalTensor) -> torch.Tensor | None:
        return _view(given, (p.batch, heads, p.sequence, 1), torch.float32).squeeze(-1) if given.data else None

    ends = tuple(p.cuSeqlens[: p.nSequences + 1]) if p.cuSeqlens else (0, p.sequence)
    return LocalProblem(
        causal=bool(p.causal), backward=bool(p.backward), scale=p.scale, window=(p.windowLeft, p.windowRight),
        cu_seqlens=ends, sinks=_numbers(p.sinks, heads), slopes=_numbers(p.slopes, heads),
        query=of("query", heads, p.headDim), key=of("key", kv_heads, p.headDim),
        value=of("value", kv_heads, p.vHeadDim), lse=row(p.lse), output=of("output", heads, p.vHeadDim),
        output_gradient=of("outputGradient", heads, p.vHeadDim), delta=row(p.delta),
        query_gradient=of("queryGradient", heads, p.headDim), key_gradient=of("keyGradient", kv_heads, p.headDim),
        value_gradient=of("valueGradient", kv_heads, p.vHeadDim),
    )  # fmt: skip


@dataclass
class Callback:
    """A Python function as the operator's callback. ctypes would drop an exception: it is kept for the caller."""

    function: LocalFunctionOfTensors
    pointer: LocalFunction = field(init=False)
    raised: BaseException | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.pointer = LocalFunction(partial(_call, self))

    @property
    def address(self) -> int:
        return ctypes.cast(self.pointer, ctypes.c_void_p).value


def _call(callback: Callback, problem, _context) -> int:
    try:
        callback.function(problem_of(problem.contents))
    except BaseException as error:  # KeyboardInterrupt too: the peers shall not wait
        callback.raised = error
        return error.result if isinstance(error, UlyssesError) and error.result > 0 else InternalError.result
    return 0


# ------------------------------------------------------------------------------------------------ torch's kernel


def _require_that_torch_can(problem: LocalProblem) -> None:
    remedy = "torch's kernel has none without an S x S mask; use local='builtin'"
    if problem.window != (-1, -1):
        raise NotSupportedError(f"window={problem.window}: {remedy}")
    for name in ("sinks", "slopes"):
        if getattr(problem, name) is not None:
            raise NotSupportedError(f"{name}: {remedy}")
    if not hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu"):
        raise NotSupportedError(f"torch {torch.__version__} has no CPU kernel that gives the LSE; use local='builtin'")


def _grouped(tensor: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """[B, heads, S, D] -> [B * kv_heads, heads that share one, S, D]; raises where that is no view: it is written to."""
    return tensor.view(tensor.shape[0] * kv_heads, -1, *tensor.shape[2:])


def _padded(tensor: torch.Tensor, dim: int) -> torch.Tensor:
    """torch's kernel has one head_dim; zeros add nothing. A copy, made only where D and Dv differ."""
    return F.pad(tensor, (0, dim - tensor.shape[-1])) if tensor.shape[-1] < dim else tensor


@dataclass(frozen=True)
class _Piece:
    """The tokens of one packed sequence, which see each other only: no mask is needed for that."""

    problem: LocalProblem
    begin: int
    count: int

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        return _grouped(tensor.narrow(2, self.begin, self.count), self.problem.key.shape[1])

    def operands(self, *, differentiable: bool) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Query, key, value as they lie there, and as the kernel takes them: KV heads are shared by stride 0."""
        p = self.problem
        leaves = [self.of(x).requires_grad_(differentiable) for x in (p.query, p.key, p.value)]
        dim, shared = max(p.query.shape[-1], p.value.shape[-1]), leaves[0].shape[1]
        query, key, value = (_padded(x, dim) for x in leaves)
        return leaves, [query, *(x.expand(-1, shared, -1, -1) for x in (key, value))]


def _pieces(problem: LocalProblem) -> Iterator[_Piece]:
    for begin, end in zip(problem.cu_seqlens, problem.cu_seqlens[1:]):
        if end > begin:
            yield _Piece(problem, begin, end - begin)


def _forward(piece: _Piece) -> None:
    """What scaled_dot_product_attention runs on a CPU, called by its own name: that alone gives the LSE as well."""
    p = piece.problem
    _, (query, key, value) = piece.operands(differentiable=False)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    output, lse = kernel(query, key, value, 0.0, p.causal, scale=p.scale)
    piece.of(p.output).copy_(output[..., : p.value.shape[-1]])
    piece.of(p.lse.unsqueeze(-1)).copy_(lse.unsqueeze(-1))


def _backward(piece: _Piece) -> None:
    """Torch's backward wants its forward's output, which the operator does not send again: it is computed once more."""
    p = piece.problem
    with torch.enable_grad():
        leaves, (query, key, value) = piece.operands(differentiable=True)
        output = F.scaled_dot_product_attention(query, key, value, is_causal=p.causal, scale=p.scale)
        output = output[..., : p.value.shape[-1]]
    gradients = torch.autograd.grad(output, leaves, piece.of(p.output_gradient))
    for target, gradient in zip((p.query_gradient, p.key_gradient, p.value_gradient), gradients):
        piece.of(target).copy_(gradient)


@contextmanager
def _flash_only():
    """Not torch's plain path, which makes S x S matrices; torch then says what it cannot do."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        yield


def torch_attention(problem: LocalProblem) -> None:
    """torch.nn.functional.scaled_dot_product_attention as local attention: causal, scale, GQA, packed sequences."""
    _require_that_torch_can(problem)
    with torch.no_grad(), _flash_only():
        for piece in _pieces(problem):
            _backward(piece) if problem.backward else _forward(piece)
