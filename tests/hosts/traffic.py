#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the network itself run as ranks 0 and 1: TCP between them, `traffic.py BYTES_OF_0 BYTES_OF_1 [TIMEOUT_S]`.

Each sends its bytes and receives the other's, at once. Prints what it received and in which time, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time


def connect(address: tuple[str, int], deadline: float) -> socket.socket:
    """Rank 0 may listen a little later. No answer at all is an error of its own at the deadline."""
    while True:
        try:
            return socket.create_connection(address, timeout=max(0.05, deadline - time.monotonic()))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def meet(rank: int, address: tuple[str, int], timeout_s: float) -> socket.socket:
    if rank == 1:
        return connect(address, time.monotonic() + timeout_s)
    with socket.create_server(address) as listener:
        listener.settimeout(timeout_s)
        return listener.accept()[0]


def exchange(link: socket.socket, own: int, other: int) -> int:
    sender = threading.Thread(target=link.sendall, args=(bytes(own),))
    sender.start()
    buffer, received = bytearray(1 << 18), 0
    while received < other and (count := link.recv_into(buffer)):
        received += count
    sender.join()
    return received


def main(arguments: list[str]) -> int:
    rank = int(os.environ["ULYSSES_RANK"])
    sizes = [int(each) for each in arguments[:2]]
    timeout_s = float(arguments[2]) if len(arguments) > 2 else 20
    host, port = os.environ["ULYSSES_ROOT"].rsplit(":", 1)
    try:
        with meet(rank, (host, int(port)), timeout_s) as link:
            link.settimeout(timeout_s)
            print("met", flush=True)
            started = time.monotonic()
            received = exchange(link, sizes[rank], sizes[1 - rank])
            seconds = time.monotonic() - started
            with contextlib.suppress(OSError):  # it may have ended already
                link.shutdown(socket.SHUT_WR)
    except OSError as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    print(json.dumps({"received": received, "seconds": seconds}))
    return 0 if received == sizes[1 - rank] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
