# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Ulysses sequence parallelism for PyTorch: the collectives of libulysses_coll as differentiable functions.

    import ulysses_torch as ulysses
    q, k, v = ulysses.scatter_qkv(q, k, v, group=group)     # [B, S/P, H, D] -> [B, S, H/P, D], one exchange
    o = attention(q, k, v)
    o = ulysses.gather_heads(o, heads=heads, group=group)   # and back
    o = ulysses.attention(q, k, v, causal=True, group=group)  # all three in one call, of the slices of the sequence

CPU tensors of one machine. See plugin/torch/README.md.
"""

from .attention import attention
from .communicator import Communicator
from .errors import (
    AbortedError,
    CorruptedError,
    InternalError,
    InvalidArgumentError,
    InvalidUsageError,
    MismatchError,
    NotSupportedError,
    OutOfMemoryError,
    RemoteInvalidError,
    RemoteLostError,
    SystemError,
    TimeoutError,
    UlyssesError,
)
from .functional import gather_heads, scatter_heads, scatter_qkv
from .geometry import Geometry, Split
from .local_attention import LocalProblem, torch_attention
from .memory import empty, empty_like

__all__ = [
    "AbortedError", "Communicator", "CorruptedError", "Geometry", "InternalError", "InvalidArgumentError",
    "InvalidUsageError", "LocalProblem", "MismatchError", "NotSupportedError", "OutOfMemoryError", "RemoteInvalidError",
    "RemoteLostError", "Split", "SystemError", "TimeoutError", "UlyssesError", "attention", "empty", "empty_like",
    "gather_heads", "scatter_heads", "scatter_qkv", "torch_attention",
]  # fmt: skip
