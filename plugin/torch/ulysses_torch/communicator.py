# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Communicators of the library for torch.distributed process groups."""

from __future__ import annotations

import ctypes
import weakref
from ctypes import c_void_p

import torch
import torch.distributed as dist

from .errors import InvalidUsageError, UlyssesError
from .library import CONFIG_MAGIC, CONFIG_VERSION, Config, UniqueId, check, lib


def _config(timeout_ms: int, init_timeout_ms: int, name: str) -> Config:
    return Config(
        size=ctypes.sizeof(Config), magic=CONFIG_MAGIC, version=CONFIG_VERSION, timeout_ms=timeout_ms,
        init_timeout_ms=init_timeout_ms, name=name.encode() or None,
    )  # fmt: skip


def _share_id(group: dist.ProcessGroup, rank: int) -> UniqueId:
    """The first rank's id at all ranks. All zero when that rank could not make one, so that nobody waits for it."""
    unique_id = UniqueId()
    problem: UlyssesError | None = None
    if rank == 0:
        try:
            check(lib.ulyssesGetUniqueId(unique_id))
        except UlyssesError as error:
            problem = error
    message = torch.frombuffer(bytearray(bytes(unique_id)), dtype=torch.uint8)
    dist.broadcast(message, src=dist.get_global_rank(group, 0), group=group)
    if problem is not None:
        raise problem
    if not message.any():
        raise UlyssesError("the first rank of the group could not make a unique id; see its error")
    ctypes.memmove(ctypes.byref(unique_id), message.data_ptr(), ctypes.sizeof(unique_id))
    return unique_id


class Communicator:
    """One rank's end of a communicator. Any thread may use it, one call at a time. A context manager."""

    _of_groups: weakref.WeakKeyDictionary[dist.ProcessGroup, Communicator] = weakref.WeakKeyDictionary()

    def __init__(self, handle: c_void_p, rank: int, ranks: int) -> None:
        self._handle: c_void_p | None = handle
        self.rank, self.ranks = rank, ranks

    @classmethod
    def from_group(
        cls, group: dist.ProcessGroup | None = None, *, timeout_ms: int = 0, init_timeout_ms: int = 0, name: str = ""
    ) -> Communicator:
        """The communicator of a process group (None: the default one), made at the first call, by all its ranks.

        The group's backend must take CPU tensors (gloo), to hand the unique id around. Times: 0 for the library's
        defaults. One communicator per group is kept, until it is destroyed.
        """
        group = group if group is not None else dist.group.WORLD
        if group is None:
            raise InvalidUsageError("no process group: call torch.distributed.init_process_group first")
        known = cls._of_groups.get(group)
        if known is not None and known._handle is not None:
            return known
        rank, ranks = dist.get_rank(group), dist.get_world_size(group)
        if rank < 0:
            raise InvalidUsageError("this process is no rank of the group")
        handle = c_void_p()
        config = _config(timeout_ms, init_timeout_ms, name)
        check(lib.ulyssesCommInitRankConfig(handle, ranks, _share_id(group, rank), rank, config))
        made = cls(handle, rank, ranks)
        cls._of_groups[group] = made
        return made

    @property
    def handle(self) -> c_void_p:
        if self._handle is None:
            raise InvalidUsageError("this communicator was destroyed")
        return self._handle

    def destroy(self) -> None:
        """Release it; a second call does nothing."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            check(lib.ulyssesCommDestroy(handle))

    def abort(self) -> None:
        """End every operation on it at every rank, from any thread, within a second."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            check(lib.ulyssesCommAbort(handle))

    def __enter__(self) -> Communicator:
        return self

    def __exit__(self, *_) -> None:
        self.destroy()


def communicator_of(group: Communicator | dist.ProcessGroup | None) -> Communicator:
    return group if isinstance(group, Communicator) else Communicator.from_group(group)
