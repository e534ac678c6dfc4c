#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Which network devices ranks use between emulated hosts: devices_test.py LAUNCH_RANK [ULYSSES_PERF] [CASE[.test]...].

A test is skipped where the library was built without UCX.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import suite
from exchange_test import DETECT_S, TIMEOUT_MS, Case
from network import Host, Hosts
from ranks import Ranks

SHOWN = {"ULYSSES_DEBUG": "INFO", "ULYSSES_DEBUG_SUBSYS": "PATH"}
rank_program = perf_program = ""


class Traffic(Case):
    """What each host sends by each interface, while ulysses_perf runs and no element is wrong."""

    COMMAND = ["scatter_heads", "--seq", "2048", "--heads", "8", "--head-dim", "64", "--dtype", "bf16", "--iters", "8", "-c", "1"]
    LEAST = 8 * 2048 // 2 * 8 // 2 * 64 * 2

    def sent_by(self, of_host: Callable[[int], Mapping[str, object]], prepare: Callable[[Host], object] = id,
                before: tuple[str, ...] = ()) -> list[list[int]]:
        if not perf_program:
            self.skipTest("ulysses_perf is not built (Meson option perf)")
        with Hosts(2, interfaces=2) as hosts:
            for host in hosts.hosts:
                prepare(host)
            then = hosts.counters()
            with Ranks(hosts, [*before, perf_program, *self.COMMAND], of_host=of_host) as ranks:
                ended = ranks.wait()
            now = hosts.counters()
        self.good(ended)
        self.assertIn("Wrong elements       : 0 OK", ended[0].output)
        self.output = "".join(each.output for each in ended)
        return [[late[name][1] - early[name][1] for name in ("eth0", "eth1")] for late, early in zip(now, then)]

    def only_by(self, chosen: int, sent: list[list[int]]) -> None:
        for each in sent:
            self.assertGreaterEqual(each[chosen], self.LEAST)
            self.assertLess(each[1 - chosen], self.LEAST / 10, "that of the meeting, and no more")


class NetDevices(Traffic):
    """ULYSSES_NET_DEVICES where hosts have two interfaces. The ranks meet by the first, whichever it names."""

    def test_the_named_interface_carries_all(self) -> None:
        for chosen in (0, 1):
            self.only_by(chosen, self.sent_by(lambda _, chosen=chosen: {"ULYSSES_NET_DEVICES": f"eth{chosen}"}))  # type: ignore[misc]

    def test_words(self) -> None:
        """Interfaces are not restricted by themselves, and those without a place on PCI not even where it is asked for."""
        words = {"auto": "no adapter for RDMA is up: UCX chooses among interfaces", "any": "ULYSSES_NET_DEVICES=any at rank 0",
                 "nearest": "all 2: no binding, same distance"}
        for word, reason in words.items():
            with self.subTest(word), Hosts(2, interfaces=2) as hosts:
                with Ranks(hosts, [rank_program], environment=SHOWN,
                           of_rank=lambda rank, word=word: {"ULYSSES_NET_DEVICES": word} if rank == 0 else {}) as ranks:
                    ended = ranks.wait()
                self.good(ended)
                for each in ended:
                    self.assertIn(f"network devices eth0,eth1: {reason}", each.output)

    def test_ulysses_info_shows_those_of_ranks_and_pairs(self) -> None:
        if not perf_program:
            self.skipTest("ulysses_info is not built (Meson option perf)")
        command = [str(Path(perf_program).with_name("ulysses_info")), "--json", "-"]
        with Hosts(2, interfaces=2) as hosts:
            with Ranks(hosts, command, 2, of_host=lambda host: {"ULYSSES_NET_DEVICES": f"eth{host}" if host else "any"}) as ranks:
                ended = ranks.wait()
        self.good(ended)
        rows = json.loads(ended[0].output)["ranks"]["rows"]
        both = {"devices": ["eth0", "eth1"], "allowed": None, "reason": "ULYSSES_NET_DEVICES=any at rank 0"}
        one = {"devices": ["eth1"], "allowed": ["eth1"], "reason": "ULYSSES_NET_DEVICES=eth1"}
        self.assertEqual([row["network"] for row in rows], [both, both, one, one])
        self.assertEqual([pair["network"] for pair in rows[2]["pairs"]], 2 * [{"own": ["eth1"], "peer": ["eth0", "eth1"]}] + [None, None])

    def test_ucx_net_devices_goes_before_a_word(self) -> None:
        with Hosts(2, interfaces=2) as hosts:
            with Ranks(hosts, [rank_program], environment={"UCX_NET_DEVICES": "eth1", **SHOWN}) as ranks:
                ended = ranks.wait()
        self.good(ended)
        for each in ended:
            self.assertIn("network devices eth1: UCX_NET_DEVICES=eth1", each.output)

    def refused(self, value: str, *texts: str) -> None:
        """At rank 1, and both are told at once."""
        with Hosts(2, interfaces=2) as hosts:
            hosts[1].run(["ip", "link", "set", "eth1", "down"])
            with Ranks(hosts, [rank_program], of_host=lambda host: {"ULYSSES_NET_DEVICES": value} if host else {}) as ranks:
                ended = self.checked(ranks.wait())
        for each in ended:
            self.assertEqual(each.status, 1, str(each))
            self.assertLess(each.seconds, DETECT_S)
            for text in texts:
                self.assertIn(text, each.output)

    def test_a_wrong_name_is_told_with_those_there_are(self) -> None:
        self.refused("eth0,eth7", "invalid argument", "ULYSSES_NET_DEVICES=eth0,eth7: network device eth7 of host ulysses-host1 does not exist",
                     "there are: eth0, eth1 (down), lo")
        self.refused("eth1", "invalid argument", "network device eth1 of host ulysses-host1 is down or has no address")

    def test_a_choice_that_reaches_nobody_is_named(self) -> None:
        with Hosts(2) as hosts, Ranks(hosts, [rank_program], environment={"ULYSSES_NET_DEVICES": "lo", "ULYSSES_TIMEOUT_MS": TIMEOUT_MS}) as ranks:
            ended = self.checked(ranks.wait())
        self.assertEqual([each.status for each in ended], [1, 1])
        told = [each for each in ended if "by its network devices lo (ULYSSES_NET_DEVICES=lo)" in each.output]
        self.assertTrue(told, "".join(map(str, ended)))
        for each in told:
            self.assertIn(f"never heard rank {1 - each.rank}", each.output)
            self.assertIn("set ULYSSES_NET_DEVICES=any at all ranks", each.output)


class Places(Traffic):
    """Hosts whose interfaces, or adapters for RDMA, are said to be at two NUMA nodes, with a core each: what hwloc and sysfs tell is
    made up, and what is done about it is real. UCX finds no such adapters, which is as with a UCX built without InfiniBand."""

    PCI = ("0000:01:00.0", "0000:81:00.0")

    @staticmethod
    def machine(folder: str) -> str:
        """For hwloc: two sockets as in tests/unit/machines, with one core each."""
        number = iter(range(1, 100))

        def opened(what: str, more: str, sets: int) -> str:
            hexes = f"0x{sets:08x}"
            return (f'<object type="{what}" {more} cpuset="{hexes}" complete_cpuset="{hexes}" nodeset="{hexes}" '
                    f'complete_nodeset="{hexes}" gp_index="{next(number)}">')

        def io(what: str, more: str) -> str:
            return f'<object type="{what}" {more} gp_index="{next(number)}">'

        text = '<?xml version="1.0"?><!DOCTYPE topology SYSTEM "hwloc2.dtd"><topology version="2.0">'
        text += opened("Machine", 'os_index="0" allowed_cpuset="0x3" allowed_nodeset="0x3"', 3)
        for node, pci in enumerate(Places.PCI):
            own, bus = 1 << node, int(pci[5:7], 16)
            text += opened("Package", f'os_index="{node}"', own)
            text += opened("NUMANode", f'os_index="{node}" local_memory="1073741824"', own) + "</object>"
            text += opened("Core", f'os_index="{node}"', own) + opened("PU", f'os_index="{node}"', own) + "</object></object>"
            text += io("Bridge", f'bridge_type="0-1" depth="0" bridge_pci="0000:[{bus - 1:02x}-{bus:02x}]"')
            text += io("PCIDev", f'pci_busid="{pci}" pci_type="0200 [15b3:1021] [15b3:0041] 00" pci_link_speed="63.0"')
            text += io("OSDev", f'name="eth{node}" osdev_type="2"') + "</object></object></object></object>"
        Path(folder, "machine.xml").write_text(text + "</object></topology>", encoding="ascii")
        return f"{folder}/machine.xml"

    def place(self, host: Host, adapters: bool) -> None:
        """In the host's own /sys, which is mounted for it alone."""
        lines = ["mount -t tmpfs tmpfs /sys/class", "mkdir /sys/class/net", "ln -s /sys/devices/virtual/net/lo /sys/class/net/lo"]
        for number, pci in enumerate(self.PCI):
            folders = [f"/sys/class/interfaces/eth{number}"]
            lines += [f"mkdir -p /sys/class/pci/{pci}"]
            if adapters:
                folders.append(f"/sys/class/infiniband/mlx5_{number}")
                lines += [f"mkdir -p {folders[-1]}/ports/1", f"echo 4: ACTIVE > {folders[-1]}/ports/1/state"]
            for folder in folders:
                lines += [f"mkdir -p {folder}", f"ln -s /sys/class/pci/{pci} {folder}/device"]
            lines += [f"ln -s {folders[0]} /sys/class/net/eth{number}"]
        host.run(["sh", "-ec", "\n".join(lines)])

    def environment(self, **more: object) -> Callable[[int], Mapping[str, object]]:
        xml = self.machine(self.enterContext(tempfile.TemporaryDirectory(prefix="hosts-")))
        return lambda _: {"HWLOC_XMLFILE": xml, "HWLOC_THISSYSTEM": 1, **SHOWN, **more}

    def setUp(self) -> None:
        if not {0, 1} <= os.sched_getaffinity(0):
            self.skipTest("needs cores 0 and 1")

    def test_ranks_use_the_interface_of_their_core(self) -> None:
        for core in (0, 1):
            sent = self.sent_by(self.environment(ULYSSES_NET_DEVICES="nearest"), lambda host: self.place(host, adapters=False),
                                ("taskset", "-c", str(core)))
            self.assertEqual(self.output.count(f"network devices eth{core}: same NUMA node as its cores (NUMA node {core})"), 2, self.output)
            self.only_by(core, sent)

    def test_interfaces_are_not_restricted_with_adapters(self) -> None:
        """UCX is given the adapter of the core, and every interface: the exchange goes on over these, without a warning of UCX's."""
        for core in (0, 1):
            self.sent_by(self.environment(), lambda host: self.place(host, adapters=True), ("taskset", "-c", str(core)))
            wanted = (f"network devices mlx5_{core}:1: same NUMA node as its cores (NUMA node {core}); UCX may use "
                      f"mlx5_{core}:1,eth0,eth1,lo")
            self.assertEqual(self.output.count(wanted), 2, self.output)
            self.assertNotIn("UCX  WARN", self.output)

    def test_without_a_binding_nothing_is_restricted(self) -> None:
        self.sent_by(self.environment(), lambda host: self.place(host, adapters=True), ("taskset", "-c", "0,1"))
        self.assertEqual(self.output.count("network devices mlx5_0:1,mlx5_1:1: all 2: no binding, same distance\n"), 2, self.output)

    def test_ranks_of_a_core_take_turns(self) -> None:
        """Both adapters at one node: each rank of a host has its own."""
        if not rank_program:
            self.skipTest("no rank program")
        with Hosts(2, interfaces=2) as hosts:
            of_host = self.environment()
            for host in hosts.hosts:
                self.place(host, adapters=True)
                host.run(["sh", "-ec", f"rm /sys/class/infiniband/mlx5_1/device; ln -s /sys/class/pci/{self.PCI[0]} /sys/class/infiniband/mlx5_1/device"])
            with Ranks(hosts, ["taskset", "-c", "0", rank_program], 2, of_host=of_host) as ranks:
                ended = ranks.wait()
        self.good(ended)
        for each in ended:
            self.assertIn(f"network devices mlx5_{each.rank % 2}:1: same NUMA node as its cores (NUMA node 0); 2 are equally near, and 2 ranks",
                          each.output)


if __name__ == "__main__":
    given = [os.path.abspath(word) if os.path.exists(word) else word for word in sys.argv[1:]]
    rank_program = given.pop(0) if given else sys.exit(__doc__)
    if given and os.path.isabs(given[0]):
        perf_program = given.pop(0)
    sys.exit(suite.main(given))
