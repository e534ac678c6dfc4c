# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The C ABI of include/ulysses_attention.h, declared once, and loaded at its first use: the exchanges work without it.
tests/plugin compares it with the header."""

from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from functools import lru_cache
from pathlib import Path

from .errors import CLASSES, NotSupportedError, UlyssesError
from .library import GeometryStruct, Strides

OPTIONS_MAGIC, OPTIONS_VERSION = 0x756C7961, 1
TENSORS_MAGIC, TENSORS_VERSION = 0x756C7974, 1
SONAME = "libulysses_attention.so.0"


class LocalTensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("sequence", c_int64), ("batch", c_int64), ("head", c_int64)]


class LocalAttention(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("sequence", c_int64), ("batch", c_int64), ("heads", c_int64), ("kvHeads", c_int64),
        ("headDim", c_int64), ("vHeadDim", c_int64), ("dtype", c_int), ("scale", c_double), ("causal", c_int32),
        ("backward", c_int32), ("windowLeft", c_int64), ("windowRight", c_int64), ("cuSeqlens", POINTER(c_int64)),
        ("nSequences", c_int64), ("sinks", POINTER(c_float)), ("slopes", POINTER(c_float)), ("query", LocalTensor),
        ("key", LocalTensor), ("value", LocalTensor), ("output", LocalTensor), ("lse", LocalTensor),
        ("outputGradient", LocalTensor), ("delta", LocalTensor), ("queryGradient", LocalTensor),
        ("keyGradient", LocalTensor), ("valueGradient", LocalTensor), ("sinkGradients", POINTER(c_float)),
        ("threads", c_int32), ("reserved0", c_int32), ("stream", c_void_p), ("workspace", c_void_p),
        ("workspaceBytes", c_size_t),
    ]  # fmt: skip


LocalFunction = CFUNCTYPE(c_int, POINTER(LocalAttention), c_void_p)


class Options(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("magic", c_uint32), ("version", c_uint32), ("causal", c_int32), ("threads", c_int32),
        ("scale", c_double), ("windowLeft", c_int64), ("windowRight", c_int64), ("sinks", POINTER(c_float)),
        ("slopes", POINTER(c_float)), ("headGroups", c_int32), ("reserved0", c_int32), ("local", c_void_p),
        ("localWorkspace", c_void_p), ("localContext", c_void_p), ("reserved", c_int64 * 4),
    ]  # fmt: skip


class AttentionTensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("layout", c_int), ("reserved0", c_int32), ("strides", Strides)]


class Tensors(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("magic", c_uint32), ("version", c_uint32), ("headDim", c_int64), ("vHeadDim", c_int64),
        ("dtype", c_int), ("reserved0", c_int32), ("query", AttentionTensor), ("key", AttentionTensor),
        ("value", AttentionTensor), ("output", AttentionTensor), ("lse", AttentionTensor),
        ("outputGradient", AttentionTensor), ("queryGradient", AttentionTensor), ("keyGradient", AttentionTensor),
        ("valueGradient", AttentionTensor), ("sinkGradients", POINTER(c_float)), ("reserved", c_int64 * 4),
    ]  # fmt: skip


class Stats(ctypes.Structure):
    _fields_ = [
        ("totalUs", c_double), ("localUs", c_double), ("exposedUs", c_double), ("workspaceBytes", c_int64),
        ("headGroups", c_int32), ("reserved0", c_int32), ("reserved", c_int64 * 4),
    ]  # fmt: skip


_CALL = [
    POINTER(GeometryStruct), POINTER(Tensors), POINTER(Options), c_void_p, c_size_t, c_void_p, c_void_p, POINTER(Stats),
]  # fmt: skip
_PROTOTYPES: dict[str, list] = {
    "ulyssesAttentionWorkspaceBytes": [
        POINTER(GeometryStruct), POINTER(Tensors), POINTER(Options), c_int, c_int, c_int, POINTER(c_size_t),
    ],
    "ulyssesAttentionForward": _CALL,
    "ulyssesAttentionBackward": _CALL,
    "ulyssesAttentionOracle": [POINTER(LocalAttention), c_void_p],
}  # fmt: skip


def _candidates() -> list[str]:
    """ULYSSES_ATTENTION_LIBRARY decides alone when it is set. Else it lies where libulysses_coll does."""
    if chosen := os.environ.get("ULYSSES_ATTENTION_LIBRARY"):
        return [chosen]
    beside = [Path(__file__).parent]
    if collectives := os.environ.get("ULYSSES_LIBRARY"):
        beside.append(Path(collectives).resolve().parent)
    return [*(str(folder / SONAME) for folder in beside), SONAME]


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The library. It needs the libulysses_coll that `library` has loaded, which is found by its name."""
    problems = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            break
        except OSError as error:
            problems.append(f"{name}: {error}")
    else:
        raise NotSupportedError(
            "libulysses_attention was not found; install it, or name it in ULYSSES_ATTENTION_LIBRARY.\n  "
            + "\n  ".join(problems)
        )
    for name, arguments in _PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int
    library.ulyssesAttentionGetLastError.argtypes, library.ulyssesAttentionGetLastError.restype = [], c_char_p
    return library


def check(result: int) -> None:
    """Raise the exception of a result other than success, with the library's text."""
    if result != 0:
        text = (load().ulyssesAttentionGetLastError() or b"").decode(errors="replace")
        raise CLASSES.get(result, UlyssesError)(text)
