#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the namespaces of one emulated host while its standard input is open: `unshare ... holder.py NAME HOSTS_FILE`.

It says "ready" once the host is set up. The other end of its input is a pipe of the process that made the host, and of no
other, so the kernel closes it however that process ends, kill -9 included. Then all processes of the host are killed, and
with the last one its namespaces go: they have no name anywhere that could be left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

BOOT_ID = "/proc/sys/kernel/random/boot_id"
SHARED_MEMORY = "/dev/shm"


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def replace(path: str, text: str) -> None:
    """Of a file, for this mount namespace only. The source has no name afterwards."""
    source = Path(SHARED_MEMORY, "source")
    source.write_text(text, encoding="ascii")
    mount("--bind", str(source), path)
    source.unlink()


def set_up(name: str, hosts_file: str) -> None:
    """What programs use to tell hosts apart is this host's own: name, boot id, shared memory, devices in /sys, /etc/hosts."""
    Path("/proc/sys/kernel/hostname").write_text(name, encoding="ascii")
    mount("-t", "sysfs", "sysfs", "/sys")  # lists the interfaces of the namespace in which it is mounted
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", SHARED_MEMORY)
    replace(BOOT_ID, f"{uuid.uuid4()}\n")
    replace("/etc/hosts", hosts_file)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def processes() -> list[int]:
    """All others of this host."""
    own = os.readlink("/proc/self/ns/net")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if os.readlink(entry / "ns/net") == own and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def end_all() -> None:
    """Again and again: one may be starting another."""
    deadline = time.monotonic() + 10
    while (pids := processes()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def main(name: str, hosts_file: str) -> int:
    set_up(name, hosts_file)
    print("ready", flush=True)
    sys.stdin.buffer.read()
    end_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
