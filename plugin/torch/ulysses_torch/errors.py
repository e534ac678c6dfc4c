# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""One exception class for each result of the library; the text is the library's own."""

from __future__ import annotations

import builtins


class UlyssesError(RuntimeError):
    """Any failure of the library. `result` is its number in ulysses_coll.h."""

    result = -1


class InvalidArgumentError(UlyssesError, ValueError):
    result = 1


class InvalidUsageError(UlyssesError):
    result = 2


class MismatchError(UlyssesError):
    """Ranks passed different calls; the communicator goes on."""

    result = 3


class RemoteInvalidError(UlyssesError):
    """A peer's own call was invalid; the communicator goes on."""

    result = 4


class RemoteLostError(UlyssesError, ConnectionError):
    result = 5


class TimeoutError(UlyssesError, builtins.TimeoutError):  # noqa: A001  named as the library names it
    result = 6


class AbortedError(UlyssesError):
    result = 7


class OutOfMemoryError(UlyssesError, MemoryError):
    result = 8


class SystemError(UlyssesError, OSError):  # noqa: A001
    result = 9


class NotSupportedError(UlyssesError, NotImplementedError):
    result = 10


class InternalError(UlyssesError):
    result = 11


class CorruptedError(UlyssesError):
    result = 13


CLASSES: dict[int, type[UlyssesError]] = {cls.result: cls for cls in UlyssesError.__subclasses__()}
