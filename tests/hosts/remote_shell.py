# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""For launchers that start their daemons on other hosts by ssh: a script that does it in the namespaces of emulated hosts.

    mpirun.openmpi --mca plm_rsh_agent SCRIPT -H ulysses-host0,ulysses-host1 ...
"""

from __future__ import annotations

import shlex
from pathlib import Path

from network import Hosts

SCRIPT = """#!/bin/sh
# SCRIPT [ssh's options] HOST COMMAND..., as ssh: the words are joined and a shell there takes them apart
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
case $host in
CASES
*) echo "no such host: $host" >&2; exit 255 ;;
esac
"""


def write(hosts: Hosts, path: Path) -> str:
    cases = [f'{host.name} | {host.address}) exec {shlex.join(host.command(["sh", "-c"]))} "$*" ;;' for host in hosts]
    path.write_text(SCRIPT.replace("CASES", "\n".join(cases)), encoding="utf-8")
    path.chmod(0o700)
    return str(path)
