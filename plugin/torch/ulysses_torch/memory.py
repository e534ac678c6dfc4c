# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Tensors that peers can read in place: allocated here, or share_memory_() and registered at first use.

Blocks of freed tensors are kept for the next ones of their size, mapped here and at the peers, so that a training loop
maps nothing after its first step.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections import defaultdict
from ctypes import c_void_p

import torch

from .library import check, lib

_PAGE = 4096
_KEPT_BYTES = 1 << 30  # of free blocks, at most

_strategy = torch.multiprocessing.get_sharing_strategy

_lock = threading.RLock()  # a finalizer may run in the middle of anything, on this thread too
_free_blocks: dict[int, list[int]] = defaultdict(list)
_free_bytes = 0


def _block_bytes(size: int) -> int:
    """Sizes are rounded to an eighth of their power of two, so that slightly different ones share blocks."""
    step = max(_PAGE, 1 << max(0, size.bit_length() - 4))
    return -(-size // step) * step


def _take_block(size: int) -> int:
    global _free_bytes
    with _lock:
        if _free_blocks[size]:
            _free_bytes -= size
            return _free_blocks[size].pop()
    pointer = c_void_p()
    check(lib.ulyssesMemAlloc(pointer, size))
    return pointer.value


def _give_block(pointer: int, size: int) -> None:
    global _free_bytes
    with _lock:
        if _free_bytes + size <= _KEPT_BYTES:
            _free_bytes += size
            _free_blocks[size].append(pointer)
            return
    lib.ulyssesMemFree(pointer)


def empty(*shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A CPU tensor in the library's memory: peers read it in place. Contents are undefined.

    The memory goes back when the last tensor that shares the storage dies.
    """
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    dtype = dtype or torch.get_default_dtype()
    elements = 1
    for extent in shape:
        elements *= extent
    if elements == 0:
        return torch.empty(shape, dtype=dtype)
    size = _block_bytes(elements * dtype.itemsize)
    pointer = _take_block(size)
    buffer = (ctypes.c_char * size).from_address(pointer)
    # Not at exit: tensors may outlive the interpreter's modules, and the memory ends with the process anyway.
    weakref.finalize(buffer, _give_block, pointer, size).atexit = False
    return torch.frombuffer(buffer, dtype=dtype, count=elements).view(shape)


def empty_like(tensor: torch.Tensor) -> torch.Tensor:
    """The same, with the shape and dtype of another tensor; contiguous."""
    return empty(tensor.shape, dtype=tensor.dtype)


class _Registrations:
    """share_memory_() storages that the library knows, by address. A storage that died is forgotten before the next
    exchange: its addresses may be another tensor's by then."""

    def __init__(self) -> None:
        self.by_address: dict[int, torch.multiprocessing.reductions.StorageWeakRef] = {}

    def add(self, comm: c_void_p, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address in self.by_address:
            return
        fd, size = storage._share_fd_cpu_()  # the storage's own: it is shared already
        handle = c_void_p()
        check(lib.ulyssesCommRegisterFd(comm, address, size, fd, 0, handle))
        self.by_address[address] = torch.multiprocessing.reductions.StorageWeakRef(storage)

    def forget_dead(self, comm: c_void_p) -> None:
        for address in [a for a, storage in self.by_address.items() if storage.expired()]:
            del self.by_address[address]
            check(lib.ulyssesCommDeregister(comm, address))


_registrations = _Registrations()


def prepare(comm: c_void_p, tensors: list[torch.Tensor]) -> None:
    """Before an exchange of these inputs: registers what can be read in place, forgets what has gone."""
    with _lock:
        if _registrations.by_address:
            _registrations.forget_dead(comm)
        for tensor in tensors:
            # The other strategy keeps no descriptor: such tensors are exchanged as private ones are.
            if tensor.is_shared() and tensor.numel() > 0 and _strategy() == "file_descriptor":
                _registrations.add(comm, tensor)
