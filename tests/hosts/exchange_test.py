#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Exchanges between emulated hosts, by users' programs: exchange_test.py LAUNCH_RANK [ULYSSES_PERF] [CASE[.test]...].

A test is skipped where the library was built without UCX.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import remote_shell
import suite
from network import Hosts, address, wait_for
from ranks import Ended, Ranks, launching

NOT_BUILT = "need UCX, which this library was built without"
DETECT_S = 10  # from the loss of a rank until all know; processes share two cores with the machine's other work
TIMEOUT_MS = 3000
ENDLESS = ["--die", "99"]  # launch_rank's: exchanges until it is told of an error
rank_program = perf_program = ""


class Case(unittest.TestCase):
    def checked(self, ended: list[Ended]) -> list[Ended]:
        if any(NOT_BUILT in each.output for each in ended):
            self.skipTest(NOT_BUILT)
        return ended

    def good(self, ended: list[Ended]) -> None:
        for each in self.checked(ended):
            self.assertEqual(each.status, 0, str(each))

    def joined(self, hosts: Hosts, per_host: int | Sequence[int] = 1, **options: object) -> None:
        """Ranks that join three times, exchange, and compare each element."""
        with Ranks(hosts, [rank_program, "--comms", "3"], per_host, **options) as ranks:  # type: ignore[arg-type]
            ended = ranks.wait()
        self.good(ended)
        for each in ended:
            self.assertIn(f"rank {each.rank} of {len(ended)} by ulysses: ok", each.output)


class Joining(Case):
    def test_one_rank_on_each_of_two_hosts(self) -> None:
        with Hosts(2) as hosts:
            self.joined(hosts)

    def test_several_ranks_on_a_host(self) -> None:
        for count, per_host in ((2, [2, 2]), (2, [3, 1]), (3, [1, 2, 1]), (4, [1, 1, 1, 1])):
            with self.subTest(per_host), Hosts(count) as hosts:
                self.joined(hosts, per_host)

    def test_second_interface(self) -> None:
        with Hosts(2, interfaces=2) as hosts:
            self.joined(hosts, environment={"ULYSSES_ROOT": f"{hosts[0].addresses[1]}:29000"})

    def test_large_packets_and_a_slow_link(self) -> None:
        with Hosts(2, mtu=9000) as hosts:
            hosts.limit(0.05)
            self.joined(hosts)

    def test_the_secret_is_not_logged(self) -> None:
        with Hosts(2) as hosts, Ranks(hosts, [rank_program], environment={"ULYSSES_DEBUG": "TRACE"}) as ranks:
            ended = ranks.wait()
        self.good(ended)
        for each in ended:
            self.assertNotIn(launching.SECRET, each.output)
            self.assertNotIn(launching.SECRET.encode().hex(), each.output)


class Regrouping(Case):
    """New communicators whose ranks are on several hosts, or all on one."""

    def test_split(self) -> None:
        for count, per_host, colors in ((2, 2, 2), (3, 2, 2), (2, 1, 1), (2, 2, 4)):
            with self.subTest(hosts=count, per_host=per_host, colors=colors), Hosts(count) as hosts:
                with Ranks(hosts, [rank_program, "--split", str(colors)], per_host) as ranks:
                    ended = ranks.wait()
                self.good(ended)
                for each in ended:
                    part = len(range(each.rank % colors, len(ended), colors))
                    self.assertIn(f"rank {each.rank}: one of {part} after the split: ok", each.output)

    def test_shrink(self) -> None:
        """Without rank 0, which leads and at whose host the ranks met; without a member; without a host's only rank."""
        for count, per_host, lost in ((2, 2, 0), (2, 2, 3), (3, [1, 2, 1], 3), (3, 1, 0)):
            with self.subTest(hosts=count, lost=lost), Hosts(count) as hosts:
                with Ranks(hosts, [rank_program, "--shrink", str(lost)], per_host) as ranks:
                    ended = self.checked(ranks.wait())
                for each in ended:
                    if each.rank == lost:
                        continue
                    self.assertEqual(each.status, 0, str(each))
                    self.assertIn(f"rank {each.rank}: one of {len(ended) - 1} after the shrink: ok", each.output)


class Bytes(Case):
    ITERATIONS = 8

    def crossed(self, count: int, per_host: int, *arguments: str, **environment: object) -> list[tuple[int, int]]:
        """Bytes received and sent by each host while ulysses_perf runs, no element wrong."""
        if not perf_program:
            self.skipTest("ulysses_perf is not built (Meson option perf)")
        command = [perf_program, *arguments, "--iters", str(self.ITERATIONS), "--warmup", "1", "-c", "1"]
        with Hosts(count) as hosts:
            before = hosts.counters()
            with Ranks(hosts, command, per_host, environment=environment) as ranks:
                ended = ranks.wait()
            after = hosts.counters()
        self.good(ended)
        self.assertIn("Wrong elements       : 0 OK", ended[0].output)
        return [(now["eth0"][0] - then["eth0"][0], now["eth0"][1] - then["eth0"][1]) for now, then in zip(after, before)]

    def test_all_of_it_crosses_the_network(self) -> None:
        """Shared memory between the hosts would be fast, and no test of a network."""
        for per_host in (1, 2):
            ranks = 2 * per_host
            message = 1024 // ranks * (8 // ranks) * 64 * 2
            least = self.ITERATIONS * per_host**2 * message
            for both in self.crossed(2, per_host, "scatter_heads", "--seq", "1024", "--heads", "8", "--head-dim", "64", "--dtype", "bf16"):
                for count in both:
                    self.assertGreaterEqual(count, least)
                    self.assertLess(count, 4 * least)  # the tool exchanges more: warm-up, back to back, verification

    def test_shared_heads_and_their_sums(self) -> None:
        small = ["qkv", "--seq", "256", "--heads", "8", "--kv-heads", "1", "--head-dim", "32"]
        for more in ([], ["--backward"], ["--memory", "plain"]):
            with self.subTest(more):
                self.crossed(2, 2, *small, *more)


    def test_a_kv_head_crosses_once_per_host(self) -> None:
        """Of 8 query heads 4 go to the other host, of 2 KV heads one, for K and for V: 6 heads, and 12 where each of its 4
        ranks there gets its own."""
        shape = ["qkv", "--seq", "2048", "--heads", "8", "--kv-heads", "2", "--head-dim", "64", "--dtype", "bf16"]
        for more in ([], ["--backward"]):
            with self.subTest(more):
                once = self.crossed(2, 4, *shape, *more)
                each = self.crossed(2, 4, *shape, *more, ULYSSES_TWO_LEVEL="flat")
                for host in (0, 1):
                    for way in (0, 1):
                        self.assertAlmostEqual(once[host][way] / each[host][way], 0.5, delta=0.03)


class Measuring(Case):
    """ulysses_perf where ranks do not see each other's processes, as on machines of their own."""

    def measured(self, *arguments: str, per_host: int = 1) -> list[Ended]:
        if not perf_program:
            self.skipTest("ulysses_perf is not built (Meson option perf)")
        command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", perf_program, *arguments]
        with Hosts(2) as hosts, Ranks(hosts, command, per_host) as ranks:
            return self.checked(ranks.wait())

    def test_rows_of_all_ranks(self) -> None:
        for per_host in (1, 2):
            with self.subTest(per_host=per_host), tempfile.TemporaryDirectory(prefix="hosts-") as folder:
                report = Path(folder, "report.json")
                ended = self.measured("qkv", "--heads", "8", "--kv-heads", "2", "--head-dim", "32", "-b", "64K", "-e", "256K", "-f", "2",
                                      "--iters", "700", "--json", str(report), "--compare", "floor,permute", per_host=per_host)
                self.good(ended)
                self.assertIn("ranks on several machines", ended[0].output)
                self.assertIn("Wrong elements       : 0 OK", ended[0].output)
                for other in ended[1:]:
                    self.assertEqual(other.output, "")
                rows = json.loads(report.read_text(encoding="utf-8"))["results"]
                self.assertEqual(len(rows), 3)
                for row in rows:
                    self.assertGreater(row["time_us"]["min"], 10)  # no exchange over the wire is faster
                    self.assertIn("ucx", row["path"])

    def test_attention(self) -> None:
        for per_host in (1, 2):
            with self.subTest(per_host=per_host), tempfile.TemporaryDirectory(prefix="hosts-") as folder:
                report = Path(folder, "report.json")
                ended = self.measured("attention", "--seq", "128", "--heads", "8", "--kv-heads", "2", "--head-dim", "32", "--dtype", "f32",
                                      "--causal", "--backward", "--iters", "600", "--json", str(report), per_host=per_host)
                self.good(ended)
                self.assertIn("ranks on several machines", ended[0].output)
                self.assertRegex(ended[0].output, r"Errors  .*dV .*: OK")
                for other in ended[1:]:
                    self.assertEqual(other.output, "")
                row = json.loads(report.read_text(encoding="utf-8"))["results"][0]
                self.assertEqual(set(row["errors"]), {"O", "LSE", "dQ", "dK", "dV"})
                for way in ("forward", "backward"):
                    self.assertGreater(row[way]["time_us"]["min"], 20)  # two exchanges over the wire

    def test_attention_chooses_head_groups(self) -> None:
        """By default, of what all ranks know: one where a group would be small, else so many that each is worth an exchange."""
        large = ["--seq", "1024", "--head-dim", "64", "--heads"]
        for shape, groups in (([*large, "16"], 8), (["--seq", "32", *large[2:], "16"], 1), ([*large, "12", "--kv-heads", "6"], 3),
                              ([*large, "16", "--batch", "2"], 8), ([*large, "16", "--kv-heads", "1"], 1),
                              ([*large, "16", "--head-groups", "2"], 2)):
            with self.subTest(shape), tempfile.TemporaryDirectory(prefix="hosts-") as folder:
                report = Path(folder, "report.json")
                self.good(self.measured("attention", *shape, "--dtype", "bf16", "--backward", "--iters", "2", "--json", str(report)))
                row = json.loads(report.read_text(encoding="utf-8"))["results"][0]
                self.assertEqual(row["head_groups"], groups)

    def test_a_failure_is_told_to_all(self) -> None:
        for each in self.measured("scatter_heads", "--seq", "256", "--heads", "8", "--compare", "floor", "--compare-strict"):
            self.assertNotEqual(each.status, 0, str(each))
            self.assertIn("these are on several", each.output)


class Launching(Case):
    """Launchers that start ranks on both hosts; ULYSSES_INTERFACE says where rank 0 is reached."""

    def launched(self, launcher: str, *options: str, **environment: str) -> subprocess.CompletedProcess:
        if not shutil.which(launcher):
            self.skipTest(f"{launcher} is not installed")
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "ULYSSES_INIT_TIMEOUT_MS": "10000"}
        with Hosts(2) as hosts, tempfile.TemporaryDirectory(prefix="hosts-") as folder:
            words = {"AGENT": remote_shell.write(hosts, Path(folder, "remote_shell")), "HOSTS": ",".join(host.name for host in hosts)}
            command = [launcher, *(words.get(option, option) for option in options), "-np", "4", rank_program, "--comms", "2"]
            ended = subprocess.run(hosts[0].command(command), env={**os.environ, **root, **environment}, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=60, check=False)
        if NOT_BUILT in ended.stdout + ended.stderr:
            self.skipTest(NOT_BUILT)
        return ended

    def all_ranks(self, ended: subprocess.CompletedProcess) -> None:
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        for rank in range(4):
            self.assertRegex(ended.stdout, f"rank {rank} of 4 by [a-z]+: ok, local {rank % 2} of 2")

    OPEN_MPI = ["--mca", "plm_rsh_agent", "AGENT", "--mca", "oob_tcp_if_include", "eth0", "-H", "HOSTS", "--map-by", "ppr:2:node",
                "--oversubscribe", "--bind-to", "none"]

    def test_open_mpi(self) -> None:
        self.all_ranks(self.launched("mpirun.openmpi", *self.OPEN_MPI, "-x", "ULYSSES_INTERFACE", ULYSSES_INTERFACE="eth0"))

    def test_open_mpi_without_an_interface(self) -> None:
        """Rank 0 then listens on loopback, where no other host reaches it."""
        ended = self.launched("mpirun.openmpi", *self.OPEN_MPI)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("ULYSSES_INTERFACE", ended.stderr + ended.stdout)

    def test_mpich(self) -> None:
        self.all_ranks(self.launched("mpirun.mpich", "-launcher", "ssh", "-launcher-exec", "AGENT", "-iface", "eth0", "-hosts", "HOSTS",
                                     "-ppn", "2", "-genv", "ULYSSES_INTERFACE", "eth0"))


    def test_torchrun(self) -> None:
        """One agent on each host. The ranks meet at MASTER_ADDR, so they need a secret."""
        try:
            options = ["--nnodes", "2", "--master-addr", address(0), "--node-rank"]
            commands = [launching.torchrun(2, rank_program, "--comms", "2", port=29400, options=[*options, str(node)]) for node in (0, 1)]
        except launching.Skip as why:
            self.skipTest(str(why))
        with Hosts(2) as hosts, launching.secret_file() as secret, tempfile.TemporaryDirectory(prefix="hosts-") as folder:
            # Its agents find each other by name; c10d's own lookup of interfaces is not ours to test.
            environment = launching.environment(ULYSSES_SECRET_FILE=secret, ULYSSES_INTERFACE="eth0", GLOO_SOCKET_IFNAME="eth0")
            logs = [Path(folder, str(host)) for host in range(2)]
            agents = []
            for host, command, log in zip(hosts, commands, logs):
                with log.open("wb") as out:
                    agents.append(host.start(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True))
            try:
                statuses = [agent.wait(90) for agent in agents]
            finally:
                for agent in agents:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(agent.pid, signal.SIGKILL)
            said = "".join(log.read_text(errors="replace") for log in logs)
        if NOT_BUILT in said:
            self.skipTest(NOT_BUILT)
        self.assertEqual(statuses, [0, 0], said)
        for rank in range(4):
            self.assertIn(f"rank {rank} of 4 by torchrun: ok, local {rank % 2} of 2", said)


class Disagreeing(Case):
    """Ranks of different hosts whose environments differ (rows B9, B10, D7 of the fault matrix)."""

    def ended(self, argv: Sequence[str] = (), prepare: Callable[[Hosts], None] = lambda _: None, **options: object) -> list[Ended]:
        with Hosts(2) as hosts:
            prepare(hosts)
            with Ranks(hosts, [rank_program, *argv], **options) as ranks:  # type: ignore[arg-type]
                return self.checked(ranks.wait())

    def test_settings_of_rank_0_hold(self) -> None:
        def differ(rank: int) -> dict[str, object]:
            return {"ULYSSES_STAGING_BYTES": 65536 << rank, "ULYSSES_TWO_LEVEL": ["joined", "flat"][rank % 2], "ULYSSES_TIMEOUT_MS": 20000 + rank}

        self.good(self.ended(["--comms", "2"], per_host=2, of_rank=differ))

    def test_transports_that_do_not_meet(self) -> None:
        """Rank 1 may use memory of its own process only: whoever needs it says so, and what to look at."""
        for each in self.ended(of_rank=lambda rank: {"UCX_TLS": "self"} if rank == 1 else {}, environment={"ULYSSES_TIMEOUT_MS": TIMEOUT_MS}):
            self.assertEqual(each.status, 1, str(each))
            self.assertIn("UCX", each.output)

    def test_two_of_one_rank(self) -> None:
        for each in self.ended(of_rank=lambda _: {"ULYSSES_RANK": 0}, environment={"ULYSSES_INIT_TIMEOUT_MS": TIMEOUT_MS}):
            self.assertEqual(each.status, 1, str(each))
            self.assertLess(each.seconds, DETECT_S + TIMEOUT_MS / 1000)

    def test_another_number_of_ranks(self) -> None:
        for each in self.ended(of_rank=lambda rank: {"ULYSSES_RANKS": 2 + rank}):
            self.assertEqual(each.status, 1, str(each))
            self.assertIn("all ranks must pass the same", each.output)

    def test_a_missing_rank(self) -> None:
        for each in self.ended(environment={"ULYSSES_RANKS": 3, "ULYSSES_INIT_TIMEOUT_MS": TIMEOUT_MS}):
            self.assertEqual(each.status, 1, str(each))
            self.assertIn("missing: 2", each.output)

    def test_two_ephemeral_ports(self) -> None:
        """Too few for the rendezvous and UCX together, or just enough: it works, or all say why by the deadline."""
        def narrow(hosts: Hosts) -> None:
            hosts[1].run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40001"])

        ended = self.ended(prepare=narrow, per_host=2, environment={"ULYSSES_TIMEOUT_MS": TIMEOUT_MS, "ULYSSES_INIT_TIMEOUT_MS": TIMEOUT_MS})
        statuses = {each.status for each in ended}
        self.assertIn(statuses, ({0}, {1}), "\n".join(map(str, ended)))
        for each in ended:
            self.assertLess(each.seconds, DETECT_S + 2 * TIMEOUT_MS / 1000)


class Losing(Case):
    """Ranks exchange without end; something happens; all that are left say what, and end by themselves."""

    def after(self, what: Callable[[Hosts, Ranks], None], within_s: float, per_host: int = 1,
              environment: Mapping[str, object] | None = None) -> list[Ended]:
        with Hosts(2) as hosts, Ranks(hosts, [rank_program, *ENDLESS], per_host, environment=environment or {}) as ranks:
            wait_for(lambda: hosts.counters()[1]["eth0"][0] > 200_000 or any(NOT_BUILT in rank.output() for rank in ranks.ranks),
                     "ranks exchange", 30)
            happened = time.monotonic() - ranks.started
            what(hosts, ranks)
            ended = self.checked(ranks.wait())
        self.figures = {"told_ms_max": str(1000 * max(each.seconds - happened for each in ended))}
        for each in ended:
            self.assertIsNotNone(each.status, str(each))
            self.assertLess(each.seconds, happened + within_s, str(each))
        return ended

    def say(self, ended: list[Ended], *texts: str) -> None:
        for each in ended:
            self.assertEqual(each.status, 1, str(each))
            for text in texts:
                self.assertIn(text, each.output)

    def test_a_killed_rank(self) -> None:
        for lost in (0, 3):
            with self.subTest(lost):
                ended = self.after(lambda _, ranks, lost=lost: ranks.kill(lost), DETECT_S, per_host=2)
                self.say([each for each in ended if each.rank != lost], "a peer was lost", f"rank {lost}")

    def test_all_ranks_of_a_host_killed(self) -> None:
        ended = self.after(lambda _, ranks: [ranks.kill(rank) for rank in (2, 3)] and None, DETECT_S, per_host=2)
        self.say(ended[:2], "a peer was lost")

    def test_a_rank_that_exits_without_a_word(self) -> None:
        """Its own exit status is good; the others are told, and nobody hangs."""
        with Hosts(2) as hosts, Ranks(hosts, [rank_program, "--leave", "1"], 2) as ranks:
            ended = self.checked(ranks.wait())
        self.assertEqual(ended[1].status, 0, str(ended[1]))
        self.say([each for each in ended if each.rank != 1], "a peer was lost", "rank 1")

    def test_a_stopped_rank(self) -> None:
        def stop(_: Hosts, ranks: Ranks) -> None:
            ranks.stop(1)
            self.checked(ranks.wait([0]))
            ranks.kill(1)

        ended = self.after(stop, DETECT_S + TIMEOUT_MS / 1000, environment={"ULYSSES_TIMEOUT_MS": TIMEOUT_MS})
        self.say(ended[:1], "deadline passed", "rank 1")

    def test_a_silent_blackhole(self) -> None:
        ended = self.after(lambda hosts, _: hosts.blackhole(1), DETECT_S + TIMEOUT_MS / 1000, environment={"ULYSSES_TIMEOUT_MS": TIMEOUT_MS})
        self.say(ended, "deadline passed")
        self.say(ended[:1], "rank 1")
        self.say(ended[1:], "rank 0")

    def test_a_pulled_cable(self) -> None:
        """Whether the kernel says so or the deadline does, both ends are told."""
        ended = self.after(lambda hosts, _: hosts.down(1), DETECT_S + TIMEOUT_MS / 1000, environment={"ULYSSES_TIMEOUT_MS": TIMEOUT_MS})
        self.say(ended[:1], "rank 1")
        self.say(ended[1:], "rank 0")

    def test_a_short_blackhole_is_survived(self) -> None:
        """TCP sends again what was lost: no error as long as the deadline is not reached."""
        def short(hosts: Hosts, ranks: Ranks) -> None:
            hosts.blackhole(1)
            time.sleep(0.5)
            hosts.up(1)
            at = hosts.counters()[1]["eth0"][0]
            wait_for(lambda: hosts.counters()[1]["eth0"][0] > at + 200_000 or any(rank.has_ended() for rank in ranks.ranks), "ranks go on", 30)
            for rank in (0, 1):
                self.assertFalse(ranks[rank].has_ended() and NOT_BUILT not in ranks[rank].output(), ranks[rank].output())
                ranks.kill(rank)

        self.after(short, 60)


if __name__ == "__main__":
    given = [os.path.abspath(word) if os.path.exists(word) else word for word in sys.argv[1:]]
    rank_program = given.pop(0) if given else sys.exit(__doc__)
    if given and os.path.isabs(given[0]):
        perf_program = given.pop(0)
    sys.exit(suite.main(given))
