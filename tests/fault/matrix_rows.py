# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of the fault matrix: what is injected, what is expected, and which tests show it.

A test is named `program:pattern`; the pattern is matched against "Suite.Name" as fnmatch does. A program that is `AWAITED` is
built elsewhere and may be missing; any other missing program is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    id: str
    injected: str
    expected: str
    tests: tuple[str, ...] = ()
    not_run: str = ""  # why this row cannot be run here


AWAITED = ("../hosts/fault_hosts",)  # not made where a sanitizer is on
_GPU = "needs a GPU"
_NET = "fault_net_bootstrap:Net"
_SPACES = "fault_namespaces:"
_LOCAL = "fault_local_input:"
_HOSTS = "../hosts/fault_hosts:Losing.test_"  # emulated hosts; needs root

ROWS = (
    Row("A1", "NULL pointers, with and without bytes behind them", "InvalidArgument; success when there is nothing to move",
        (_LOCAL + "Pointers/*Null", _LOCAL + "Operand.NullWhereNothingIs")),
    Row("A2", "host and device pointers mixed up", "an error that names both", not_run=_GPU + "; suite device shows it on CPUs"),
    Row("A3", "pointers that are not what they are said to be, in registration", "InvalidArgument",
        ("fault_hygiene:Register*.*", "fault_hygiene:MemAlloc.*")),
    Row("A4", "unaligned pointers, odd strides", "right bytes",
        (_LOCAL + "Operand.MisalignedPointers", _LOCAL + "Operand.InterleavedSlicesOfOneBuffer")),
    Row("A5", "sizes beyond 64 bits; more than 2^31 elements", "InvalidArgument; right bytes",
        (_LOCAL + "Numbers/*Overflow*", _LOCAL + "Numbers/*Beyond*", _LOCAL + "Numbers/*Huge*", _LOCAL + "Operand.MoreElementsThan31BitsCount")),
    Row("A6", "values outside an enum, unknown flags", "InvalidArgument with value and choices",
        (_LOCAL + "Enums/*", _LOCAL + "LocalInput.*")),
    Row("A7", "ranks below 0, above the last, twice; no rank; one rank", "InvalidArgument at all that join; one rank copies",
        ("fault_usage:Join.BadRanks", "fault_usage:Join.DuplicateRank", _LOCAL + "Operand.OneRankCopies")),
    Row("A8", "heads, KV heads or tokens that do not divide", "works, or InvalidArgument with what would",
        (_LOCAL + "Numbers/*", _LOCAL + "Operand.UnevenHeadsAndTokens")),
    Row("A9", "outputs that overlap inputs, each other, themselves", "InvalidArgument with both ranges; interleaved slices work",
        (_LOCAL + "Pointers/*Overlap", _LOCAL + "Pointers/*SameMemory", _LOCAL + "Operand.InterleavedSlicesOfOneBuffer")),
    Row("A10", "zero and negative strides", "right bytes for inputs, InvalidArgument for outputs",
        (_LOCAL + "Strides/*", _LOCAL + "Operand.NegativeAndZeroStrides")),
    Row("A11", "config of another size, magic or version", "InvalidArgument", ("fault_usage:Join.BadConfig",)),
    Row("A12", "use after destroy or abort, made-up handles, two threads at once, a ninth operation, stale requests",
        "InvalidUsage, never a crash; threads in turn are legal", ("fault_usage:Usage.*",)),
    Row("B1", "one rank's counts or lengths differ", "Mismatch everywhere, both ranks, the field, both values; the communicator goes on",
        ("fault_mismatch:Mismatch.EveryField*", "fault_mismatch:Mismatch.RanksWithoutBytes")),
    Row("B2", "the dtype differs, of the same size too", "as B1", ("fault_mismatch:Mismatch.EveryField*",)),
    Row("B3", "another operation", "as B1", ("fault_mismatch:Mismatch.EveryField*",)),
    Row("B4", "heads, head_dim or layout differ with equal bytes", "as B1", ("fault_mismatch:Mismatch.EveryField*",)),
    Row("B5", "two operations, or two communicators, in another order at one rank", "Mismatch; Timeout",
        ("fault_mismatch:Mismatch.Two*",)),
    Row("B6", "a rank never calls", "Timeout that names it and its last operation", ("fault_mismatch:Absent.*",)),
    Row("B7", "counts that ranks pass for each other differ", "as B1", ("fault_mismatch:Mismatch.EveryField*",)),
    Row("B8", "another library version, another wire version", "InvalidArgument at every rank",
        ("fault_bootstrap:Bootstrap.AnotherLibraryVersion", "fault_bootstrap:Hostile.AnotherVersionIsReportedToAll", _NET + "Agreement.AnotherRecordVersion")),
    Row("B9", "environment and tuning differ", "agreed when joining, or an error that names it", ("fault_net_ranks:NetRanks.SettingsMayDiffer", "fault_net_ranks:NetRanks.StagingIsRankZeros")),
    Row("B10", "another number of ranks, a rank twice, a missing rank, another id", "an error at every rank that names it",
        ("fault_bootstrap:Bootstrap.*", "fault_usage:Join.RanksDisagreeOnTheirNumber", "fault_usage:Join.MissingRankIsNamed", "fault_net_ranks:NetRanks.AnIdOfAnotherVersion",
         _NET + "Contacts.*")),
    Row("C1", "kill -9 at twenty moments and at every fault point of an operation",
        "RemoteLost with rank, host, pid and signal, at once; survivors shrink and go on",
        ("fault_process_death:ProcessDeath.*", "fault_regroup:Shrink.AfterAKillAtTwentyMoments", "fault_points:KilledAt.*",
         _HOSTS + "a_killed_rank", _HOSTS + "all_ranks_of_a_host_killed")),
    Row("C2", "SIGSTOP; SIGCONT before the deadline", "Timeout \"stopped\" at the deadline; no error",
        ("fault_process_death:Stop.*", "fault_stragglers:StoppedRank.*", _HOSTS + "a_stopped_rank")),
    Row("C3", "exit(0), or an exception nobody catches, without finalize", "RemoteLost, at once", ("fault_exits:Exit.*",)),
    Row("C4", "SIGSEGV, abort(): with and without the program's own handler", "RemoteLost; the handler runs, the signal is the status",
        ("fault_exits:Crash.*",)),
    Row("C5", "kill while the communicator is made, at each step", "RemoteLost or Timeout at the others, at once",
        ("fault_init_death:*",)),
    Row("C6", "two failures at once, rank 0 among them; a death at each step of a shrink", "all survivors get one communicator, or none",
        ("fault_regroup:Shrink.*", "fault_shrink_death:*")),
    Row("C7", "all killed and started again at once", "works", ("fault_process_death:ProcessDeath.AllKilledAndStartedAgainAtOnce",)),
    Row("C8", "a straggler at half the deadline, a hundred times", "no error", ("fault_stragglers:Straggler.*",)),
    Row("C9", "a rank killed by the out-of-memory killer of its cgroup", "RemoteLost, signal 9", ("fault_exits:OutOfMemoryKill.*",)),
    Row("C10", "fork() after init: the child exits, the child calls", "InvalidUsage in the child; the parent goes on", ("fault_fork:*",)),
    Row("C11", "exit, dlclose, SIGTERM and signal storms with operations in flight; abort during one, twice",
        "in order, or Aborted; no crash", ("fault_leaving:*", "fault_process_death:Abort.*")),
    Row("D1", "a memory cgroup's limit, just below, at and above", "OutOfMemory with needed and available, never a signal",
        ("fault_memory_limit:*",)),
    Row("D2", "memory that runs out after it was mapped", "cannot be: pages are there before", ("fault_memory_limit:MemoryGroup.*",)),
    Row("D3", "RLIMIT_MEMLOCK of 64 KiB", "works: nothing is locked", ("fault_limits:Memlock.*",)),
    Row("D4", "descriptors run out: while joining, in accept, when a segment is told", "an error that names it, nothing left",
        ("fault_limits:Descriptors.*",)),
    Row("D5", "no more threads", "an error that names it, nothing left", ("fault_limits:Threads.*",)),
    Row("D6", "the n-th allocation, mapping, socket or message fails, n = 1, 2, ...", "an error at the ranks it concerns, nothing left",
        ("fault_nth_failure:*",)),
    Row("D7", "port in use, two ephemeral ports", "works, or an error that names it", (_SPACES + "Namespaces.TwoEphemeralPorts",)),
    Row("D8", "communicators, exchanges and segments again and again", "descriptors, threads, mappings and memory stay",
        ("fault_hygiene:Hygiene.*", "fault_soak:*")),
    Row("E1", "ranks in different user namespaces", "works, or an error with the reason", (_SPACES + "Namespaces.User", _SPACES + "Namespaces.AnotherUser")),
    Row("E2", "different PID and IPC namespaces", "as E1", (_SPACES + "Namespaces.Pid", _SPACES + "Namespaces.Ipc", _SPACES + "Namespaces.AllButTheNetwork",
         _SPACES + "Namespaces.DeathInAnotherPidNamespace", _SPACES + "Namespaces.SilenceInAnInnerPidNamespace")),
    Row("E3", "different /dev/shm, one host name", "as E1", (_SPACES + "Namespaces.MountWithOwnDevShm",)),
    Row("E4", "different network namespaces", "works as between hosts, or an error that names the peer by the deadline",
        (_SPACES + "Namespaces.DifferentNetworks*", _SPACES + "Namespaces.NoNetwork")),
    Row("E5", "Yama, seccomp", "as E1", (_SPACES + "Seccomp.*",)),
    Row("E6", "masked and shared GPUs", "works, or an error with the reason", not_run=_GPU),
    Row("E7", "peer access that does not work", "found when memory is registered", not_run="needs two GPUs; suite device shows it on CPUs"),
    Row("E8", "/sys and /proc missing, read-only file systems", "works; memory limits are then unknown", (_SPACES + "Namespaces.EmptySysAndProcAndAReadOnlyRoot", _SPACES + "Namespaces.AnotherUser")),
    Row("F1", "connection refused, blackhole while joining", "an error with address and interface, by the deadline", (_NET + "Faults.Refused*", _NET + "Faults.Blackhole*", _NET + "Faults.ADropped*", _NET + "Faults.AnotherAddressAnswers")),
    Row("F2", "reset and half close", "as F1", (_NET + "Faults.Reset*", _NET + "Faults.HalfClosed*", _NET + "Faults.CorruptedBytes", _NET + "Agreement.*")),
    Row("F3", "silent blackhole, pulled cable in an operation", "Timeout or RemoteLost that names the peer, by the deadline; a short one is survived",
        (_HOSTS + "a_silent_blackhole", _HOSTS + "a_pulled_cable", _HOSTS + "a_short_blackhole_is_survived")),
    Row("F4", "delay, reorder, one-byte segments, interrupted calls", "works", (_NET + "Faults.SlowNetworkIsNoError", "fault_net_ranks:NetRanks.InterruptedSystemCalls")),
    Row("F5", "UCX endpoint failure", "an error that names the peer; the other endpoints live",
        (_HOSTS + "a_killed_rank", _SPACES + "Namespaces.DifferentNetworks*")),
    Row("F6", "port scans, garbage, connections held open", "the ranks join undisturbed", ("fault_bootstrap:Hostile.*", _NET + "Hostile.*", _NET + "Mesh.*")),
    Row("F7", "lengths and fields out of range, every bit flipped", "refused", ("fault_bootstrap:Guest.*",)),
    Row("F8", "wrong secret, replayed handshake, another job's id", "refused",
        ("fault_bootstrap:Guest.ReplayIsRefused", "fault_bootstrap:Guest.ReflectionIsRefused", "fault_bootstrap:Bootstrap.An*IsRefused*",
         _NET + "Hostile.AReplayedHandshakeIsNoRank")),
    Row("F9", "where the rendezvous listens", "on one interface only", (_NET + "Hostile.ListensOnTheSelectedInterfaceOnly",)),
    Row("H1", "a bit flipped under verify mode", "found, with rank, operation and place", ("fault_verify:*",)),
    Row("H2", "sequence numbers and counters around 2^32; addresses used again after a restart", "right bytes",
        ("fault_hygiene:Hygiene.NewSegmentAtTheSameAddress", "fault_process_death:ProcessDeath.AllKilledAndStartedAgainAtOnce",
         "fault_wrap:*")),
    Row("P1", "a plugin of another NCCL version, calls in flight at close", "falls back, or an error", not_run="runs in suite nccl_net (tests/plugin), not by this driver"),
    Row("P2", "wrong tensors from PyTorch", "an exception with the same text", not_run="runs in suite plugin (tests/plugin), not by this driver"),
)
