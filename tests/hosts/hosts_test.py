#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The emulated hosts themselves: hosts_test.py [--rank-program LAUNCH_RANK] [CASE[.test]...]. Nothing here exchanges between hosts by the
library; that is for the tests that use `Hosts` and `Ranks`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path

import suite
from network import Hosts, NetworkError, wait_for
from ranks import Ended, Ranks

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable
MIB = 1 << 20
rank_program = ""


def traffic(*arguments: float) -> list[str]:
    return [PYTHON, str(HERE / "traffic.py"), *(str(each) for each in arguments)]


def seconds_of(ended: list[Ended]) -> float:
    """Of the slower one; fails unless both have all bytes."""
    for each in ended:
        if each.status != 0:
            raise AssertionError(str(each))
    return max(json.loads(each.output.splitlines()[-1])["seconds"] for each in ended)


def exchange(hosts: Hosts, of_0: int, of_1: int, **options: object) -> float:
    with Ranks(hosts, traffic(of_0, of_1), **options) as ranks:  # type: ignore[arg-type]
        return seconds_of(ranks.wait())


def gone(pid: int) -> bool:
    """Ended; whether its parent has noticed does not matter."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True


class Network(unittest.TestCase):
    def test_hosts_reach_each_other(self) -> None:
        with Hosts(3) as hosts:
            for count in ([1, 1, 0], [1, 0, 1]):
                exchange(hosts, MIB, 1000, per_host=count)
        with Hosts(2, direct=True) as hosts:
            exchange(hosts, MIB, 1000)

    def test_nothing_else_is_reached(self) -> None:
        program = "import socket; socket.create_connection(('192.0.2.1', 9), 5)"
        with Hosts(1) as hosts, Ranks(hosts, [PYTHON, "-c", program]) as ranks:
            self.assertIn("Network is unreachable", ranks.wait()[0].output)

    def test_two_at_once_do_not_collide(self) -> None:
        with Hosts(2) as one, Hosts(2) as other:
            with Ranks(one, traffic(MIB, MIB)) as first, Ranks(other, traffic(MIB, MIB)) as second:
                seconds_of(first.wait())
                seconds_of(second.wait())

    def test_counters_count(self) -> None:
        with Hosts(2) as hosts:
            before = hosts.counters()
            exchange(hosts, 16 * MIB, 4 * MIB)
            grown = [(now["eth0"][0] - then["eth0"][0], now["eth0"][1] - then["eth0"][1]) for now, then in zip(hosts.counters(), before)]
        # Both ways at once: there are also the acknowledgements of the other direction, at most one of 66 bytes for each 1448.
        for got, want, other in zip(grown[0] + grown[1], (4, 16, 16, 4), (16, 4, 4, 16)):
            self.assertGreaterEqual(got, want * MIB)
            self.assertLess(got, want * MIB * 1.1 + other * MIB * 66 / 1448)

    def test_second_interface(self) -> None:
        with Hosts(2, interfaces=2) as hosts:
            exchange(hosts, 4 * MIB, 0, environment={"ULYSSES_ROOT": f"{hosts[0].addresses[1]}:29000"})
            counts = hosts.counters()[1]
        self.assertLess(sum(counts["eth0"]), MIB / 10)
        self.assertGreater(counts["eth1"][0], 4 * MIB)

    def test_limit_holds_in_each_direction(self) -> None:
        wanted_s = 4 * MIB * 8 / 0.1e9
        for direct in (False, True):
            with Hosts(2, direct=direct) as hosts:
                hosts.limit(0.1)
                for sizes in ((4 * MIB, 0), (0, 4 * MIB)):
                    seconds = exchange(hosts, *sizes)
                    self.assertGreater(seconds, 0.8 * wanted_s)
                    self.assertLess(seconds, 3 * wanted_s)
                both = exchange(hosts, 4 * MIB, 4 * MIB)
                self.assertLess(both, 1.8 * wanted_s, "the directions share the rate")
                hosts.limit(None)
                self.assertLess(exchange(hosts, 4 * MIB, 0), 0.5 * wanted_s)

    def test_limit_holds_for_what_a_host_receives_in_all(self) -> None:
        with Hosts(3) as hosts:
            hosts.limit(0.1)
            started = time.monotonic()
            with Ranks(hosts, traffic(0, 2 * MIB), per_host=[1, 1, 0]) as one, Ranks(hosts, traffic(0, 2 * MIB), per_host=[1, 0, 1]) as other:
                seconds_of(one.wait())
                seconds_of(other.wait())
            self.assertGreater(time.monotonic() - started, 0.9 * 4 * MIB * 8 / 0.1e9)

    def test_mtu(self) -> None:
        with Hosts(2, mtu=9000) as hosts:
            self.assertEqual(hosts[1].links()["eth0"]["mtu"], 9000)
            exchange(hosts, MIB, MIB)

    def test_blackhole_drops_all_unseen(self) -> None:
        with Hosts(2) as hosts:
            hosts.blackhole(1)
            self.assertEqual(hosts[1].links()["eth0"]["operstate"], "UP")
            with Ranks(hosts, traffic(1, 1, 1)) as ranks:
                for ended in ranks.wait():
                    self.assertEqual(ended.status, 1, str(ended))
                    self.assertIn("TimeoutError", ended.output)
            hosts.up(1)
            exchange(hosts, MIB, MIB)

    def test_blackhole_stalls_a_connection(self) -> None:
        with Hosts(2) as hosts:
            hosts.limit(0.1)
            with Ranks(hosts, traffic(4 * MIB, 0)) as ranks:
                wait_for(lambda: "met" in ranks[1].output(), "ranks have met")
                hosts.blackhole(0)
                before = hosts.counters()[1]["eth0"][0]
                time.sleep(0.6)  # would be enough for all of it
                self.assertLess(hosts.counters()[1]["eth0"][0] - before, MIB / 2)
                self.assertFalse(ranks[1].has_ended())
                hosts.up(0)
                self.assertGreater(seconds_of(ranks.wait()), 0.6)

    def test_down_takes_the_carrier(self) -> None:
        with Hosts(2) as hosts:
            hosts.down(0)
            wait_for(lambda: hosts[0].links()["eth0"]["operstate"] != "UP", "carrier lost")
            with Ranks(hosts, traffic(1, 1, 1)) as ranks:
                self.assertEqual([each.status for each in ranks.wait()], [1, 1])
            hosts.up(0)
            exchange(hosts, MIB, MIB)

    def test_errors_say_what(self) -> None:
        for bad in ({"count": 0}, {"count": 3, "direct": True}, {"count": 2, "interfaces": 0}):
            with self.assertRaises(ValueError):
                Hosts(**bad)  # type: ignore[arg-type]
        with Hosts(2, direct=True) as hosts:
            with self.assertRaisesRegex(ValueError, "no switch"):
                hosts.blackhole(0)
            with self.assertRaisesRegex(NetworkError, "ip link set nope up.*nope"):
                hosts[0].run(["ip", "link", "set", "nope", "up"])


class Identity(unittest.TestCase):
    """What libraries tell hosts apart by."""

    PROGRAM = """if 1:
        import os, socket
        print(socket.gethostname(), open('/proc/sys/kernel/random/boot_id').read().strip(), os.stat('/dev/shm').st_dev,
              *(os.stat(f'/proc/self/ns/{name}').st_ino for name in ('net', 'ipc', 'uts', 'mnt')),
              '+'.join(sorted(set(os.listdir('/sys/class/net')) - {'lo'})), os.getcwd())"""

    def test_differs_between_hosts_only(self) -> None:
        outside = subprocess.run([PYTHON, "-c", self.PROGRAM], capture_output=True, text=True, check=True).stdout.split()
        with Hosts(2) as hosts, Ranks(hosts, [PYTHON, "-c", self.PROGRAM], per_host=2) as ranks:
            words = [each.output.split() for each in ranks.wait()]
        self.assertEqual(words[0], words[1])
        self.assertEqual(words[2], words[3])
        self.assertEqual((words[0][0], words[2][0]), ("ulysses-host0", "ulysses-host1"))
        for one, other in ((words[0], words[2]), (words[0], outside)):
            self.assertFalse([same for same, also in zip(one[:7], other) if same == also])
        self.assertEqual((words[0][7:], words[2][7]), (["eth0", os.getcwd()], "eth0"))

    def test_names_resolve(self) -> None:
        with Hosts(2) as hosts:
            self.assertIn("10.77.0.2", hosts[0].run(["getent", "hosts", "ulysses-host1"]))


class Cleaning(unittest.TestCase):
    # Starts what ends by no word of its parent's: it has left the process group, the session and all its files.
    DAEMON = "trap '' HUP TERM INT; setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!; exec sleep 600"
    MAKER = """if 1:
        import sys, time
        sys.path.insert(0, sys.argv[1])
        from network import Hosts
        from ranks import Ranks
        with Hosts(2) as hosts, Ranks(hosts, ['sh', '-c', sys.argv[2]]) as ranks:
            while not all(ranks[i].output() for i in range(2)):
                time.sleep(0.01)
            print(*(place.pid for place in hosts._places()), *(ranks[i].process.pid for i in range(2)),
                  *(ranks[i].output().strip() for i in range(2)), flush=True)
            time.sleep(600)"""

    @contextlib.contextmanager
    def maker(self) -> Iterator[tuple[subprocess.Popen, list[int]]]:
        """Another process that has made hosts and ranks; and all pids that are to go with it."""
        with subprocess.Popen([PYTHON, "-c", self.MAKER, str(HERE), self.DAEMON], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as process:
            assert process.stdout
            pids = [int(word) for word in process.stdout.readline().split()]
            self.assertEqual(len(pids), 7)
            self.assertFalse([pid for pid in pids if gone(pid)])
            yield process, pids

    def test_nothing_is_left_however_the_maker_ends(self) -> None:
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(how.name), self.maker() as (process, pids):
                process.send_signal(how)
                process.wait(30)
                wait_for(lambda: all(gone(pid) for pid in pids), f"{pids} gone")

    def test_nothing_is_left_after_an_exception(self) -> None:
        with contextlib.suppress(KeyError):
            with Hosts(1) as hosts:
                daemon = hosts[0].start(["setsid", "--fork", "sleep", "600"], start_new_session=True)
                daemon.wait()
                holder, inode = hosts[0].pid, os.stat(f"/proc/{hosts[0].pid}/ns/net").st_ino
                raise KeyError
        self.assertTrue(gone(holder))
        for entry in Path("/proc").glob("[0-9]*/ns/net"):
            with contextlib.suppress(FileNotFoundError):
                self.assertNotEqual(entry.stat().st_ino, inode, f"{entry} is still there")

    def test_close_twice(self) -> None:
        hosts = Hosts(1)
        with hosts:
            pass
        hosts.close()


class Processes(unittest.TestCase):
    def test_status_output_and_place(self) -> None:
        program = "import os, socket; print(socket.gethostname()); os._exit(int(os.environ['ULYSSES_RANK']))"
        with Hosts(3) as hosts, Ranks(hosts, [PYTHON, "-c", program], per_host=[2, 0, 1]) as ranks:
            ended = ranks.wait()
        self.assertEqual([(each.rank, each.host, each.status) for each in ended], [(0, 0, 0), (1, 0, 1), (2, 2, 2)])
        self.assertEqual([each.output for each in ended], [f"ulysses-host{each.host}\n" for each in ended])

    def test_environment(self) -> None:
        os.environ["OMPI_COMM_WORLD_RANK"] = "7"
        self.addCleanup(os.environ.pop, "OMPI_COMM_WORLD_RANK")
        program = ("import json, os; e = dict(os.environ); e['mode'] = oct(os.stat(e['ULYSSES_SECRET_FILE']).st_mode & 0o777); "
                   "print(json.dumps(e))")
        with Hosts(2) as hosts, Ranks(hosts, lambda rank: [PYTHON, "-c", program, str(rank)], per_host=2, environment={"A": 1, "B": 1},
                                      of_host=lambda host: {"B": f"host{host}", "C": 1}, of_rank=lambda rank: {"C": rank}) as ranks:
            seen = [json.loads(each.output) for each in ranks.wait()]
        for rank, got in enumerate(seen):
            self.assertEqual((got["A"], got["B"], got["C"]), ("1", f"host{rank // 2}", str(rank)))
            self.assertEqual((got["ULYSSES_RANK"], got["ULYSSES_RANKS"], got["mode"]), (str(rank), "4", "0o600"))
            self.assertRegex(got["ULYSSES_ROOT"], r"^10\.77\.0\.1:\d+$")
            self.assertNotIn("OMPI_COMM_WORLD_RANK", got)
        self.assertFalse(Path(seen[0]["ULYSSES_SECRET_FILE"]).exists())

    def test_hanging_ranks_end_at_the_deadline(self) -> None:
        script = "[ $ULYSSES_RANK = 1 ] && exit 3; echo before; sleep 600 & echo $!; trap '' TERM; wait; sleep 600"
        with Hosts(2) as hosts, Ranks(hosts, ["sh", "-c", script], per_host=2, deadline_s=1.5) as ranks:
            started = time.monotonic()
            ended = ranks.wait()
            self.assertLess(time.monotonic() - started, 10)
            self.assertEqual([each.status for each in ended], [None, 3, None, None])
            self.assertLess(ended[1].seconds, 1.5)
            self.assertGreaterEqual(ended[0].seconds, 1.5)
            for each in (ended[0], ended[2], ended[3]):
                before, child = each.output.split()
                self.assertEqual(before, "before")
                wait_for(lambda pid=int(child): gone(pid), "its child gone")

    def test_a_stopped_rank_ends_at_the_deadline(self) -> None:
        with Hosts(1) as hosts, Ranks(hosts, ["sleep", "600"], deadline_s=0.5) as ranks:
            ranks.stop(0)
            self.assertIsNone(ranks.wait()[0].status)

    def test_kill_stop_resume(self) -> None:
        with Hosts(2) as hosts, Ranks(hosts, ["sh", "-c", "for i in 1 2 3 4 5 6; do sleep 0.05; done; echo done"], deadline_s=20) as ranks:
            ranks.kill(0)
            ranks.stop(1)
            self.assertEqual(ranks.wait([0])[0].status, -signal.SIGKILL)
            time.sleep(0.6)
            self.assertFalse(ranks[1].has_ended(), "it is not stopped")
            ranks.resume(1)
            ended = ranks.wait()
        self.assertEqual((ended[0].status, ended[1].status, ended[1].output), (-signal.SIGKILL, 0, "done\n"))

    def test_wrong_numbers(self) -> None:
        with Hosts(2) as hosts:
            for bad in (0, [1], [2, -1], [0, 0]):
                with self.assertRaisesRegex(ValueError, "for each of 2 hosts"):
                    Ranks(hosts, ["true"], per_host=bad)

    def test_ranks_of_the_library_meet_at_an_address_of_the_network(self) -> None:
        if not rank_program:
            self.skipTest("no --rank-program")
        with Hosts(2) as hosts, Ranks(hosts, [rank_program], per_host=[3, 0]) as ranks:
            for each in ranks.wait():
                self.assertEqual(each.status, 0, str(each))
                self.assertIn(f"rank {each.rank} of 3 by ulysses: ok", each.output)


class Reporting(unittest.TestCase):
    def test_failures_are_counted(self) -> None:
        class Mixed(unittest.TestCase):
            def test_bad(self) -> None:
                for number in (1, 2):
                    with self.subTest(number):
                        self.fail()

            def test_good(self) -> None:
                pass

            def test_skipped(self) -> None:
                self.skipTest("why")

        for names, status, words in ((["test_bad", "test_good", "test_skipped"], 1, ("PASSED  ] 1 tests.", "SKIPPED ] 1 tests,", "\n 1 FAILED TESTS")),
                                     (["test_good"], 0, ("PASSED  ] 1 tests.",)), ([], 1, (" 1 FAILED TESTS",))):
            result = unittest.TestResult()
            unittest.TestSuite(map(Mixed, names)).run(result)
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                self.assertEqual(suite.count(result), status)
            for word in words:
                self.assertIn(word, printed.getvalue())

    def test_without_privileges_it_is_skipped(self) -> None:
        done = subprocess.run(["setpriv", "--bounding-set=-sys_admin", PYTHON, __file__, "Reporting.test_failures_are_counted"],
                              capture_output=True, text=True, check=False, timeout=30)
        self.assertEqual(done.returncode, 77, done.stdout + done.stderr)
        self.assertIn("skipped: needs CAP_SYS_ADMIN", done.stdout)


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--rank-program"]:
        rank_program, given = given[1], given[2:]
    sys.exit(suite.main(given))
