# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts on this machine: namespaces joined by veth pairs. Needs root; no packet leaves them.

    with Hosts(2) as hosts:
        hosts[1].start(["iperf3", "-s", "-1"])
        hosts[0].run(["iperf3", "-c", hosts[1].address])

A host has its own network, IPC, UTS and mount namespace, the last for /dev/shm, /sys, the boot id and /etc/hosts. Without
its own IPC namespace UCX would use shared memory across network namespaces and no packet would be sent. Process ids are
the machine's, so a host's processes can be signalled from outside. Nothing has a name outside the namespaces, so runs
cannot collide, and nothing stays when the maker ends, however it does: see holder.py.

Host i is "ulysses-host<i>", with 10.77.<j>.<i+1> at its interface eth<j>.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

HOLDER = Path(__file__).resolve().parent / "holder.py"
TOOLS = ("unshare", "nsenter", "mount", "ip", "tc")
STEP_S = 10  # for one command of set-up
BURST_S = 0.001  # of its rate that tbf lets pass at once: few timers, and still smooth against an exchange
QUEUE_MS = 50


class NetworkError(Exception):
    """A command of set-up failed; the text has the command and what it said."""


def checked(command: Sequence[str], text: str | None = None) -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=STEP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkError(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit status {done.returncode}"
        raise NetworkError(f"{' '.join(command)}: {said}")
    return done.stdout


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = STEP_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise NetworkError(f"not in {limit_s:g} s: {what}")
        time.sleep(0.01)


class Place:
    """Namespaces and the process that keeps them."""

    def __init__(self, name: str, hosts_file: str) -> None:
        self.name = name
        # A session of its own: a terminal's Ctrl-C is for the maker.
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--ipc", "--uts", "--mount", sys.executable, str(HOLDER), name, hosts_file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.holder.pid

    def await_ready(self) -> None:
        assert self.holder.stdout and self.holder.stderr
        if self.holder.stdout.readline() != "ready\n":  # or its end: the holder has failed
            said = " ".join(self.holder.stderr.read().split())
            raise NetworkError(f"namespaces of {self.name}: {said or 'the holder ended'}")

    def command(self, argv: Sequence[str]) -> list[str]:
        """argv as run there: same root and working directory, no process in between, so its pid is that of what starts it."""
        # Entering a mount namespace changes root and directory, which would show in a chroot.
        return ["nsenter", f"--target={self.pid}", "--net", "--ipc", "--uts", "--mount", "--root", f"--wdns={os.getcwd()}", "--", *argv]

    def start(self, argv: Sequence[str], **options: Any) -> subprocess.Popen:
        """The options are Popen's."""
        return subprocess.Popen(self.command(argv), **options)

    def run(self, argv: Sequence[str], text: str | None = None) -> str:
        """What it prints; NetworkError unless it ends with 0 within STEP_S."""
        return checked(self.command(argv), text)

    def close(self) -> None:
        assert self.holder.stdin and self.holder.stdout and self.holder.stderr
        self.holder.stdin.close()
        try:
            self.holder.wait(2 * STEP_S)
        except subprocess.TimeoutExpired:
            self.holder.kill()
            self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()


class Host(Place):
    def __init__(self, index: int, interfaces: int, hosts_file: str) -> None:
        super().__init__(f"ulysses-host{index}", hosts_file)
        self.index = index
        self.interfaces = [f"eth{j}" for j in range(interfaces)]
        self.addresses = [address(index, j) for j in range(interfaces)]

    @property
    def address(self) -> str:
        return self.addresses[0]

    def links(self) -> dict[str, dict]:
        """By interface, what `ip` says of it."""
        return {each["ifname"]: each for each in json.loads(self.run(["ip", "-json", "-statistics", "link"]))}


def address(host: int, interface: int = 0) -> str:
    return f"10.77.{interface}.{host + 1}"


Self = TypeVar("Self", bound="Opened")


class Opened:
    """What is opened at the beginning of a with block, and closed at its end or when opening fails."""

    def _open(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Hosts(Opened):
    """`count` hosts at one bridge for each of `interfaces`, or, with `direct`, two hosts without a bridge between them.

    A direct pair is the fastest way between two namespaces, but there is no switch that could take a host off the network.
    """

    def __init__(self, count: int, interfaces: int = 1, mtu: int = 1500, direct: bool = False) -> None:
        if not 1 <= count <= 250 or not 1 <= interfaces <= 250:
            raise ValueError(f"{count} hosts with {interfaces} interfaces: want 1 to 250 of each")
        if direct and count != 2:
            raise ValueError(f"direct: {count} hosts, want 2")
        self.count, self.interfaces, self.mtu, self.direct = count, interfaces, mtu, direct
        self.hosts: list[Host] = []
        self.switch: Place | None = None
        self.limited = False

    def __getitem__(self, index: int) -> Host:
        return self.hosts[index]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return len(self.hosts)

    def _open(self) -> None:
        lines = [f"{address(i)} ulysses-host{i}" for i in range(self.count)]
        hosts_file = "\n".join(["127.0.0.1 localhost", "::1 localhost", *lines]) + "\n"
        if not self.direct:
            self.switch = Place("ulysses-switch", hosts_file)
        for index in range(self.count):  # all at once, then waited for
            self.hosts.append(Host(index, self.interfaces, hosts_file))
        for place in self._places():
            place.await_ready()
        self._join()
        wait_for(self._all_up, "all links up")

    def _places(self) -> list[Place]:
        return [*self.hosts, *([self.switch] if self.switch else [])]

    def _join(self) -> None:
        if self.switch:
            bridges = [f"link add name br{j} mtu {self.mtu} type bridge" for j in range(self.interfaces)]
            self._switch(*bridges, *(f"link set br{j} up" for j in range(self.interfaces)))
        for j in range(self.interfaces):
            if self.direct:
                self._wire(f"eth{j}", self.hosts[0], f"eth{j}", self.hosts[1])
            for host in self.hosts if self.switch else []:
                assert self.switch
                self._wire(f"eth{j}", host, self._port(host.index, j), self.switch)
                self._switch(*self._plug(host.index, j))
        for host in self.hosts:
            host.run(["ip", "-batch", "-"], "\n".join(
                line for name, ip in zip(host.interfaces, host.addresses)
                for line in (f"addr add {ip}/24 dev {name}", f"link set {name} up")))

    def _wire(self, name: str, place: Place, peer_name: str, peer: Place) -> None:
        checked(["ip", "link", "add", "name", name, "netns", str(place.pid), "mtu", str(self.mtu), "type", "veth",
                 "peer", "name", peer_name, "netns", str(peer.pid), "mtu", str(self.mtu)])

    @staticmethod
    def _port(host: int, interface: int) -> str:
        return f"port{host}.{interface}"

    def _plug(self, host: int, interface: int) -> list[str]:
        return [f"link set {self._port(host, interface)} master br{interface}", f"link set {self._port(host, interface)} up"]

    def _switch(self, *lines: str) -> None:
        if not self.switch:
            raise ValueError("a direct pair has no switch")
        self.switch.run(["ip", "-batch", "-"], "\n".join(lines))

    def _all_up(self) -> bool:
        """A veth carries packets some time after it was set up: the kernel's link watch may take a second."""
        return all(links[name]["operstate"] == "UP" for host in self.hosts for links in [host.links()] for name in host.interfaces)

    def close(self) -> None:
        """Ends all processes of the hosts, and with them the namespaces. Any number of times."""
        places, self.hosts, self.switch = self._places(), [], None
        for place in places:
            place.close()

    # ------------------------------------------------------------------------------------ what networks do

    def limit(self, gbit: float | None) -> None:
        """Gbit/s of every link, in each direction by itself; None: no limit."""
        shape = []
        if gbit is not None:
            burst = max(64 << 10, int(gbit * 1e9 / 8 * BURST_S))
            shape = ["tbf", "rate", f"{int(gbit * 1e9)}bit", "burst", str(burst), "latency", f"{QUEUE_MS}ms"]
        elif not self.limited:
            return
        for place, name in self._ends():
            place.run(["tc", "qdisc", "replace" if shape else "delete", "dev", name, "root", *shape])
        self.limited = bool(shape)

    def _ends(self) -> list[tuple[Place, str]]:
        """Both ends of every link: what an end sends can be shaped there, and what it receives only at the other."""
        ends: list[tuple[Place, str]] = []
        for host in self.hosts:
            for j, name in enumerate(host.interfaces):
                ends.append((host, name))
                if self.switch:
                    ends.append((self.switch, self._port(host.index, j)))
        return ends

    def counters(self) -> list[dict[str, tuple[int, int]]]:
        """By host and interface: bytes received, bytes sent, since the host was made."""
        return [{name: (links[name]["stats64"]["rx"]["bytes"], links[name]["stats64"]["tx"]["bytes"]) for name in host.interfaces}
                for host in self.hosts for links in [host.links()]]

    def blackhole(self, host: int) -> None:
        """All packets to and from it vanish, and it sees nothing of that: its links stay up. `up` ends it."""
        self._switch(*(f"link set {self._port(host, j)} nomaster" for j in range(self.interfaces)))

    def down(self, host: int) -> None:
        """Its cables are pulled at the switch: its interfaces lose their carrier. `up` ends it."""
        self._switch(*(f"link set {self._port(host, j)} down" for j in range(self.interfaces)))

    def up(self, host: int) -> None:
        self._switch(*(line for j in range(self.interfaces) for line in self._plug(host, j)))
        wait_for(self._all_up, f"links of host {host} up again")


def supported() -> str:
    """Why hosts cannot be made here; empty if they can. It tries."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(missing)} (Debian: util-linux, iproute2)"
    if os.geteuid() != 0:
        return f"user id {os.geteuid()}: only root can make network namespaces"
    try:
        with Hosts(1) as hosts:
            hosts.limit(1)
    except NetworkError as error:
        return f"needs CAP_SYS_ADMIN, CAP_NET_ADMIN, veth, bridge and tbf: {error}"
    return ""
