# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The C ABI of include/ulysses_coll.h, declared once. tests/plugin compares it with the header."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import POINTER, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

from .errors import CLASSES, UlyssesError

CONFIG_MAGIC, CONFIG_VERSION = 0x756C7963, 1
GEOMETRY_MAGIC, GEOMETRY_VERSION = 0x756C7967, 1
MAX_TENSORS = 8
LAYOUT_STRIDED = 3
KIND_QUERY, KIND_KV = 0, 1
ORDER_CONTIGUOUS, ORDER_ZIGZAG = 0, 1
TENSOR_SUM = 1
OP_SCATTER_HEADS = 0
SONAME = "libulysses_coll.so.0"


class UniqueId(ctypes.Structure):
    _fields_ = [("internal", c_char * 128)]


class Config(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("magic", c_uint32), ("version", c_uint32), ("timeout_ms", c_int64),
        ("init_timeout_ms", c_int64), ("staging_bytes", c_int64), ("plan_cache_size", c_int32),
        ("progress_thread", c_int32), ("name", c_char_p), ("reserved", c_int64 * 6),
    ]  # fmt: skip


class GeometryStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("magic", c_uint32), ("version", c_uint32), ("sequence", c_int64), ("batch", c_int64),
        ("heads", c_int64), ("kvHeads", c_int64), ("order", c_int), ("reserved0", c_int32),
        ("tokens", POINTER(c_int64)), ("queryHeads", POINTER(c_int64)), ("cuSeqlens", POINTER(c_int64)),
        ("nSequences", c_int64), ("tag", c_uint64), ("reserved", c_int64 * 3),
    ]  # fmt: skip


class Strides(ctypes.Structure):
    _fields_ = [("sequence", c_int64), ("batch", c_int64), ("group", c_int64), ("head", c_int64)]


class TensorStruct(ctypes.Structure):
    _fields_ = [
        ("input", c_void_p), ("output", c_void_p), ("headDim", c_int64), ("dtype", c_int), ("kind", c_int),
        ("inputLayout", c_int), ("outputLayout", c_int), ("inputStrides", Strides), ("outputStrides", Strides),
        ("flags", c_uint32), ("reserved0", c_uint32), ("reserved", c_int64 * 2),
    ]  # fmt: skip


class SplitStruct(ctypes.Structure):
    _fields_ = [
        ("queryHeadBegin", c_int64), ("queryHeadCount", c_int64), ("kvHeadBegin", c_int64), ("kvHeadCount", c_int64),
        ("tokenCount", c_int64), ("kvReplica", c_int32), ("kvReplicas", c_int32), ("imbalance", c_double),
    ]  # fmt: skip


_EXCHANGE = [POINTER(GeometryStruct), POINTER(TensorStruct), c_int, c_void_p, c_void_p]
_PROTOTYPES: dict[str, list] = {
    "ulyssesGetVersion": [POINTER(c_int)],
    "ulyssesGetUniqueId": [POINTER(UniqueId)],
    "ulyssesCommInitRankConfig": [POINTER(c_void_p), c_int, POINTER(UniqueId), c_int, POINTER(Config)],
    "ulyssesCommInitAll": [POINTER(c_void_p), c_int, POINTER(Config)],
    "ulyssesCommDestroy": [c_void_p],
    "ulyssesCommAbort": [c_void_p],
    "ulyssesCommRegisterFd": [c_void_p, c_void_p, c_size_t, c_int, c_int64, POINTER(c_void_p)],
    "ulyssesCommDeregister": [c_void_p, c_void_p],
    "ulyssesMemAlloc": [POINTER(c_void_p), c_size_t],
    "ulyssesMemFree": [c_void_p],
    "ulyssesGetSplit": [POINTER(GeometryStruct), c_int, c_int, POINTER(SplitStruct)],
    "ulyssesGetTokenPositions": [POINTER(GeometryStruct), c_int, c_int, POINTER(c_int64)],
    "ulyssesRefuse": [c_int, c_int, c_char_p, c_void_p],
    "ulyssesScatterHeads": _EXCHANGE,
    "ulyssesGatherHeads": _EXCHANGE,
}


def _candidates() -> list[str]:
    """ULYSSES_LIBRARY decides alone when it is set; a wrong one must not fall back silently."""
    if chosen := os.environ.get("ULYSSES_LIBRARY"):
        return [chosen]
    return [str(Path(__file__).parent / SONAME), SONAME]


def _load() -> ctypes.CDLL:
    problems = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            break
        except OSError as error:
            problems.append(f"{name}: {error}")
    else:
        raise ImportError(
            "libulysses_coll was not found; install it, or name it in ULYSSES_LIBRARY.\n  " + "\n  ".join(problems)
        )
    for name, arguments in _PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int
    library.ulyssesGetLastError.argtypes, library.ulyssesGetLastError.restype = [c_void_p], c_char_p
    return library


lib = _load()


def check(result: int) -> None:
    """Raise the exception of a result other than success, with the library's text."""
    if result != 0:
        text = (lib.ulyssesGetLastError(None) or b"").decode(errors="replace")
        raise CLASSES.get(result, UlyssesError)(text)


def version() -> int:
    """ULYSSES_VERSION_CODE of the loaded library."""
    code = c_int()
    check(lib.ulyssesGetVersion(code))
    return code.value


def _require_version() -> None:
    """Before 1.0 the ABI may change with the minor version."""
    if version() // 100 != 1:
        raise ImportError(f"libulysses_coll {version()}: this package is for version 0.1; install the two together")


_require_version()
