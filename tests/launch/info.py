#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""info.py [CHECK ULYSSES_INFO]: what ulysses_info says, against /proc, /sys and files of hwloc. No arguments: names."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from launching import (ROOT, Skip, by_hand, environment, expect, local_root, openmpi, program, ranks, run, run_check)

MACHINES = ROOT / "tests/unit/machines"
info_program = ""

# ---------------------------------------------------------------------------------------------- the shape of the JSON

NUMBER = (int, float)
TEXT, OPTIONAL_TEXT = str, (str, type(None))
COUNT, OPTIONAL_COUNT, OPTIONAL_NUMBER = int, (int, type(None)), (*NUMBER, type(None))
RESOURCE = {"soft": OPTIONAL_COUNT, "hard": OPTIONAL_COUNT}
DEVICE = {"name": OPTIONAL_TEXT, "model": OPTIONAL_TEXT, "pci": OPTIONAL_TEXT, "pci_gbyte_per_s": OPTIONAL_NUMBER,
          "numa_node": OPTIONAL_COUNT}
NIC = {**DEVICE, "mbit_per_s": OPTIONAL_COUNT}
NETWORK = {"devices": [TEXT], "allowed": ([TEXT], type(None)), "reason": TEXT}
PORT = {"name": TEXT, "rdma": bool, "up": bool, "internal": bool, "mbit_per_s": OPTIONAL_COUNT, "pci": OPTIONAL_TEXT,
        "numa_node": OPTIONAL_COUNT}
NEAREST = {"name": OPTIONAL_TEXT, "pci": OPTIONAL_TEXT, "distance": TEXT}
MACHINE = {"hwloc": TEXT, "name": OPTIONAL_TEXT, "boot_id_hash": OPTIONAL_TEXT, "network_namespace": OPTIONAL_COUNT,
           "system": OPTIONAL_TEXT, "cpu": OPTIONAL_TEXT, "cores": COUNT, "hardware_threads": COUNT,
           "memory_bytes": OPTIONAL_COUNT,
           "caches": [{"level": COUNT, "bytes": COUNT, "count": COUNT, "cores_sharing_one": COUNT}],
           "numa_nodes": [{"node": COUNT, "os_index": COUNT, "memory_bytes": OPTIONAL_COUNT, "cores": COUNT,
                           "hardware_threads": TEXT, "network": NETWORK}],
           "gpus": [{**DEVICE, "nearest_nics": [NEAREST], "network": NETWORK}], "nics": [DEVICE], "network_ports": [PORT]}
HOST = {**MACHINE, "nics": [NIC], "cores_of_this_process": [COUNT],
        "limits": {"memory_available_bytes": COUNT, "memory_cgroup_limit_bytes": OPTIONAL_COUNT,
                   "memory_cgroup_left_bytes": OPTIONAL_COUNT, "open_files": RESOURCE, "locked_bytes": RESOURCE,
                   "processes": RESOURCE, "local_ports": ([COUNT], type(None))},
        "interfaces": [{"name": TEXT, "up": bool, "mbit_per_s": OPTIONAL_COUNT, "addresses": [TEXT]}],
        "ucx": {"library": {"name": TEXT, "loads": bool, "version": OPTIONAL_TEXT, "problem": OPTIONAL_TEXT},
                "devices": {"from": OPTIONAL_TEXT, "problem": OPTIONAL_TEXT,
                            "transports": ([{"transport": TEXT, "devices": [TEXT]}], type(None))}},
        "cuda": {"built": bool, "driver": OPTIONAL_TEXT, "runtime": OPTIONAL_TEXT, "problem": OPTIONAL_TEXT,
                 "gpus": [{"ordinal": COUNT, "name": TEXT, "uuid": TEXT, "pci": TEXT, "memory_bytes": COUNT,
                           "compute_capability": TEXT, "multiprocessors": COUNT, "peer_access": [bool]}]}}
LIBRARY = {"version": TEXT, "checks": bool, "fault_points": bool, "pmix": bool, "ucx": bool, "cuda": bool}
HEAD = {"schema": COUNT, "tool": TEXT, "library": LIBRARY}
ENVIRONMENT = [{name: TEXT for name in ("name", "value", "from", "default", "values", "meaning")}]
SETTING = {"value": COUNT, "from": TEXT}
PAIR = {"peer": COUNT, "path": TEXT, "reason": TEXT, "gbyte_per_s": OPTIONAL_NUMBER, "device_path": OPTIONAL_TEXT,
        "device_reason": TEXT, "network": ({"own": [TEXT], "peer": [TEXT]}, type(None))}
RANKS = {"count": COUNT, "started_by": TEXT, "measured_bytes": OPTIONAL_COUNT,
         "settings": {**{name: SETTING for name in ("timeout_ms", "init_timeout_ms", "staging_bytes", "plan_cache_size",
                                                    "progress_thread", "stream_bytes", "verify", "gpu_blocks")},
                      **{name: {"value": TEXT, "from": TEXT} for name in ("path", "two_level", "net_devices", "gpu_engine")}},
         "rows": [{"rank": COUNT, "pid": COUNT, "host": COUNT, "gpu": OPTIONAL_COUNT, "network": (NETWORK, type(None)),
                   "pairs": [PAIR]}]}
REPORT = {**HEAD, "hosts": [HOST], "environment": ENVIRONMENT}
RANKS_REPORT = {**HEAD, "hosts": [{**HOST, "ranks": [COUNT]}], "ranks": RANKS, "environment": ENVIRONMENT}
FILE_REPORT = {**HEAD, "topology_file": TEXT, "hosts": [MACHINE]}


def differences(shape: object, value: object, place: str = "") -> list[str]:
    """Where a value has not exactly the keys and types of a shape. (LIST, NoneType): a list or null; so for objects."""
    if isinstance(shape, tuple) and isinstance(shape[0], (dict, list)):
        return [] if value is None else differences(shape[0], value, place)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{place}: {value!r} is no object"]
        found = [f"{place}.{key}: missing" for key in shape.keys() - value.keys()]
        found += [f"{place}.{key}: unknown" for key in value.keys() - shape.keys()]
        return found + [text for key in shape.keys() & value.keys()
                        for text in differences(shape[key], value[key], f"{place}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{place}: {value!r} is no list"]
        return [text for i, each in enumerate(value) for text in differences(shape[0], each, f"{place}[{i}]")]
    if isinstance(value, bool) and shape is not bool:
        return [f"{place}: {value!r}"]
    return [] if isinstance(value, shape) else [f"{place}: {value!r}"]


def report(shape: object, *arguments: str, **variables: object) -> dict:
    ended = run([info_program, *arguments, "--json", "-"], **variables)
    expect(ended.status == 0, f"status {ended.status}:\n{ended.output}")
    return parsed(shape, ended.output)


def parsed(shape: object, text: str) -> dict:
    value = json.loads(text)
    expect(not differences(shape, value), "\n".join(differences(shape, value)))
    expect(value["schema"] == 2 and value["tool"] == "ulysses_info", f"head: {value}")
    return value


def equal(found: object, wanted: object, what: str) -> None:
    expect(found == wanted, f"{what}: {found!r}, want {wanted!r}")


# ---------------------------------------------------------------------------------------------- this machine


def numbers(text: str) -> list[int]:
    """0-3,8 as the kernel writes lists."""
    bounds = [part.split("-") for part in text.strip().split(",") if part]
    return [number for each in bounds for number in range(int(each[0]), int(each[-1]) + 1)]


def check_machine() -> None:
    host = report(REPORT)["hosts"][0]
    system = os.uname()
    equal(host["name"], system.nodename, "name")
    equal(host["system"], f"{system.sysname} {system.release}", "system")
    equal(host["network_namespace"], os.stat("/proc/self/ns/net").st_ino, "network namespace")
    equal(host["boot_id_hash"], report(REPORT)["hosts"][0]["boot_id_hash"], "boot id hash of the next call")
    equal(host["cores_of_this_process"], sorted(os.sched_getaffinity(0)), "cores of this process")
    for node in host["numa_nodes"]:
        folder = Path(f"/sys/devices/system/node/node{node['os_index']}")
        if not folder.exists():
            continue
        expect(set(numbers(node["hardware_threads"])) <= set(numbers((folder / "cpulist").read_text())), f"node {node}")
        total = next(line.split()[3] for line in (folder / "meminfo").read_text().splitlines() if "MemTotal" in line)
        equal(node["memory_bytes"], int(total) * 1024, "memory of a node")
    equal(sum(node["cores"] for node in host["numa_nodes"]), host["cores"], "cores of all nodes")


def check_caches() -> None:
    found = {cache["level"]: cache["bytes"] for cache in report(REPORT)["hosts"][0]["caches"]}
    folders = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    if not folders:
        raise Skip("this kernel tells no caches")
    for folder in folders:
        if (folder / "type").read_text().strip() != "Instruction":
            level, size = ((folder / name).read_text().strip() for name in ("level", "size"))
            equal(found.get(int(level)), int(size.removesuffix("K")) * 1024, f"L{level}")


def check_nics() -> None:
    """Each PCI device with a network interface is there, with what the kernel says of it."""
    found = {nic["pci"]: nic for nic in report(REPORT)["hosts"][0]["nics"]}
    for interface in Path("/sys/class/net").iterdir():
        # The function itself may be a parent: virtio has a bus of its own.
        device = (interface / "device").resolve()
        pci = next((part for part in (device, *device.parents) if (part / "vendor").exists() and part.name in found), None)
        if not (interface / "device").exists() or pci is None:
            continue
        nic = found.pop(pci.name)
        equal(nic["name"], interface.name, f"name of {pci.name}")
        node = int((pci / "numa_node").read_text()) if (pci / "numa_node").exists() else -1
        expect(node < 0 or nic["numa_node"] is not None, f"{nic}: its node is {node}")
    leftovers = [nic for nic in found.values() if (Path("/sys/class/net") / (nic["name"] or "-")).exists()]
    expect(not leftovers, f"no such devices: {leftovers}")


def check_interfaces() -> None:
    """Every address that is listed can be listened on, by the library itself; loopback is among them."""
    interfaces = {each["name"]: each for each in report(REPORT)["hosts"][0]["interfaces"]}
    equal(set(interfaces), {name for _, name in socket.if_nameindex()}, "interfaces")
    for name, interface in interfaces.items():
        try:
            speed = int(Path(f"/sys/class/net/{name}/speed").read_text())
        except (OSError, ValueError):
            speed = -1
        equal(interface["mbit_per_s"], speed if speed > 0 else None, f"speed of {name}")
        for choice in (*interface["addresses"], name):
            ended = run([info_program, "--ranks", "2"], ULYSSES_INTERFACE=choice)
            equal(ended.status == 0, bool(interface["addresses"]), f"ranks meet at {choice}: {ended.output}")
    expect("127.0.0.1" in interfaces["lo"]["addresses"], f"lo: {interfaces['lo']}")


def check_limits() -> None:
    bounds = {"open_files": (resource.RLIMIT_NOFILE, 300), "locked_bytes": (resource.RLIMIT_MEMLOCK, 65536),
              "processes": (resource.RLIMIT_NPROC, 4000)}

    def lower() -> None:
        for number, bound in bounds.values():
            resource.setrlimit(number, (bound, resource.getrlimit(number)[1]))

    done = subprocess.run([info_program, "--json", "-"], preexec_fn=lower, env=environment(), check=True,
                          capture_output=True, text=True)
    limits = parsed(REPORT, done.stdout)["hosts"][0]["limits"]
    for name, (number, bound) in bounds.items():
        hard = resource.getrlimit(number)[1]
        equal(limits[name], {"soft": bound, "hard": None if hard == resource.RLIM_INFINITY else hard}, name)
    ports = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    equal(limits["local_ports"], [int(port) for port in ports], "local ports")


def memory_group() -> Path:
    """A new memory cgroup, v1 or v2."""
    for parent in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        folder = Path(parent) / f"ulysses_info_{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if any((folder / name).exists() for name in ("memory.limit_in_bytes", "memory.max")):
            return folder
        folder.rmdir()
    raise Skip("no memory cgroup can be made here")


def check_memory_cgroup() -> None:
    group, limit = memory_group(), 512 << 20
    try:
        old = group / "memory.limit_in_bytes"
        (old if old.exists() else group / "memory.max").write_text(str(limit))
        done = subprocess.run([info_program, "--json", "-"], env=environment(), check=True, capture_output=True, text=True,
                              preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
        limits = parsed(REPORT, done.stdout)["hosts"][0]["limits"]
        equal(limits["memory_cgroup_limit_bytes"], limit, "limit")
        expect(0 < limits["memory_cgroup_left_bytes"] < limit, f"left: {limits}")
    finally:
        group.rmdir()


def check_environment() -> None:
    variables = {each["name"]: each for each in report(REPORT, ULYSSES_STAGING_BYTES=65536, ULYSSES_DEBUG="")["environment"]}
    expected = {"ULYSSES_STAGING_BYTES": ("65536", "environment"), "ULYSSES_DEBUG": ("WARN", "default"),
                "ULYSSES_TIMEOUT_MS": ("600000", "default")}
    for name, (value, origin) in expected.items():
        equal((variables[name]["value"], variables[name]["from"]), (value, origin), name)
    table = run([info_program, "--env"]).output
    expect(all(f"| `{name}` |" in table for name in variables), f"the table lacks a variable:\n{table}")


# ---------------------------------------------------------------------------------------------- UCX


def check_ucx() -> None:
    """What ucx_info itself prints."""
    program("ucx_info")
    output = subprocess.run(["ucx_info", "-d"], check=True, capture_output=True, text=True).stdout
    words = [line.lstrip("# ").split(": ") for line in output.splitlines()]
    pairs, transport = [], ""
    for key, *value in words:
        transport = value[0] if key == "Transport" else transport
        if key == "Device":
            pairs.append((transport, value[0]))
    ucx = report(REPORT)["hosts"][0]["ucx"]
    equal(ucx["devices"]["from"], "ucx_info -d", "from")
    equal([(each["transport"], device) for each in ucx["devices"]["transports"] for device in each["devices"]], pairs,
          "devices")
    expect(ucx["library"]["loads"] and ucx["library"]["version"], f"library: {ucx['library']}")


def ucx_with(text: str, mode: int = 0o755) -> tuple[dict, float]:
    """Only a ucx_info with this text is there, and a libucp that is none."""
    with tempfile.TemporaryDirectory(prefix="info-") as name:
        folder = Path(name)
        (folder / "ucx_info").write_text(text)
        (folder / "ucx_info").chmod(mode)
        (folder / "libucp.so.0").write_text("no library")
        started = time.monotonic()
        ended = run([info_program, "--json", "-"], PATH=name, LD_LIBRARY_PATH=name)
        expect(ended.status == 0, ended.output)
        value = json.loads(ended.output)["hosts"][0]["ucx"]
        equal(value["library"]["loads"], False, "a library that is none loads")
        expect("libucp.so.0" in value["library"]["problem"], f"problem: {value['library']}")
        return value["devices"], time.monotonic() - started


def check_ucx_absent() -> None:
    for text, mode, problem in (("", 0o644, "not in PATH"), ("#!/bin/sh\necho '# UCX: nothing here'\n", 0o755, "no transport"),
                                ("#!/bin/sh\nkill -9 $$\n", 0o755, "no transport")):
        devices, _ = ucx_with(text, mode)
        expect(devices["from"] is None and devices["transports"] is None, f"{devices}")
        expect(problem in devices["problem"], f"{devices}, want {problem}")
    text = "libucp.so.0 does not load"
    with tempfile.TemporaryDirectory(prefix="info-") as name:
        (Path(name) / "libucp.so.0").write_text("")
        run([info_program], PATH=name, LD_LIBRARY_PATH=name).says(text, "UCX transports", "unknown: ucx_info")


def check_ucx_hangs() -> None:
    devices, seconds = ucx_with("#!/bin/sh\necho '#      Transport: tcp'\nexec /bin/sleep 100\n")
    expect("took longer" in devices["problem"] and seconds < 20, f"{devices} after {seconds:.1f} s")


def check_no_cuda() -> None:
    """Where no GPU can be seen (one that is there is hidden): what is missing, in JSON and as text."""
    value = report(RANKS_REPORT, "--ranks", "2", CUDA_VISIBLE_DEVICES="")
    cuda = value["hosts"][0]["cuda"]
    equal((cuda["built"], cuda["gpus"]), (value["library"]["cuda"], []), "cuda")
    wanted = "built without CUDA" if not cuda["built"] else "no GPU: " if cuda["driver"] else "no driver: "
    expect(wanted in cuda["problem"], f"{cuda}, want {wanted!r}")
    for row in value["ranks"]["rows"]:
        equal(row["gpu"], None, "GPU of a rank")
        equal([(pair["device_path"], pair["device_reason"]) for pair in row["pairs"]], [(None, cuda["problem"])] * 2, "pairs")
    run([info_program], CUDA_VISIBLE_DEVICES="").says(f"CUDA                   {wanted}")


# ---------------------------------------------------------------------------------------------- ranks


def expect_all_pairs(value: dict, n: int, started_by: str) -> list[dict]:
    found = value["ranks"]
    equal((found["count"], found["started_by"]), (n, started_by), "ranks")
    equal([row["rank"] for row in found["rows"]], list(range(n)), "rows")
    equal(len({row["pid"] for row in found["rows"]}), n, "processes")
    equal([host["ranks"] for host in value["hosts"]], [list(range(n))], "ranks of hosts")
    for row in found["rows"]:
        equal([pair["peer"] for pair in row["pairs"]], list(range(n)), f"peers of {row['rank']}")
        for pair in row["pairs"]:
            equal(pair["path"], "self" if pair["peer"] == row["rank"] else "shm", f"path of {row['rank']} and {pair}")
            expect(pair["reason"], f"no reason: {pair}")
    return found["rows"]


def check_ranks() -> None:
    for n in (1, 3):
        value = report(RANKS_REPORT, "--ranks", str(n), ULYSSES_PLAN_CACHE=7)
        for row in expect_all_pairs(value, n, "ulysses_info"):
            expect(all(pair["gbyte_per_s"] is None for pair in row["pairs"]), f"a rate that nobody measured: {row}")
        equal(value["ranks"]["settings"]["plan_cache_size"], {"value": 7, "from": "environment"}, "plan_cache_size")
        equal(value["ranks"]["measured_bytes"], None, "measured bytes")
    run([info_program, "--ranks", "2"]).says("row: reader, column: peer", "shm: same host", "(2 pairs)", "not known")


def check_measure() -> None:
    value = report(RANKS_REPORT, "--ranks", "3", "--measure")
    for row in expect_all_pairs(value, 3, "ulysses_info"):
        for pair in row["pairs"]:
            rate = pair["gbyte_per_s"]
            expect(rate is None if pair["peer"] == row["rank"] else 0.01 < rate < 10_000, f"{pair}")
    run([info_program, "--ranks", "2", "--measure"]).says("GB/s of each pair, measured: 16 MiB")


def check_many_ranks() -> None:
    """More text than fits one chunk of a small window."""
    expect_all_pairs(report(RANKS_REPORT, "--ranks", "12", ULYSSES_STAGING_BYTES=4096), 12, "ulysses_info")


def check_by_hand() -> None:
    ended = ranks(by_hand(3, ULYSSES_ROOT=local_root()), [info_program, "--json", "-"])
    equal([each.status for each in ended], [0, 0, 0], ended[0].output + ended[1].output)
    expect_all_pairs(parsed(RANKS_REPORT, ended[0].output), 3, "ulysses")
    equal([each.output for each in ended[1:]], ["", ""], "what other ranks print")


def check_openmpi() -> None:
    ended = run(openmpi(3, info_program, "--measure", "--json", "-"))
    equal(ended.status, 0, ended.output)
    expect_all_pairs(parsed(RANKS_REPORT, ended.output), 3, "openmpi")


def check_rank_dies() -> None:
    """Rank 1 is killed in an exchange of its measurements: every other rank ends with that, and so do the tool's own."""
    if not report(REPORT)["library"]["fault_points"]:
        raise Skip("the library is built without fault points")
    variables = by_hand(3, ULYSSES_ROOT=local_root())
    variables[1]["ULYSSES_TEST_POINT"] = "op.agreed:kill:5"
    ended = ranks(variables, [info_program, "--measure"])
    for survivor in (ended[0], ended[2]):  # the second one may only see the first one go
        survivor.fails("was lost", within_s=20)
    expect(any("killed by signal 9" in survivor.output for survivor in (ended[0], ended[2])),
           f"nobody says how rank 1 ended:\n{ended[0].output}{ended[2].output}")
    run([info_program, "--ranks", "3", "--measure"], ULYSSES_TEST_POINT="op.agreed:kill:5").fails(
        "was killed by signal 9", within_s=20)


# ---------------------------------------------------------------------------------------------- files


def check_topology() -> None:
    for name, cores, gpus, nics in (("two_sockets", 4, 0, 2), ("eight_gpus", 8, 8, 8), ("asymmetric", 4, 3, 1), ("odd", 8, 2, 4)):
        file = str(MACHINES / f"{name}.xml")
        value = report(FILE_REPORT, "--topology", file)
        host = value["hosts"][0]
        equal(value["topology_file"], file, "file")
        equal((host["name"], host["cores"], len(host["gpus"]), len(host["nics"])), (name.replace("_", "-"), cores, gpus, nics),
              name)
        equal(host["boot_id_hash"], None, "boot id hash of a file")
    run([info_program, "--topology", str(MACHINES / "eight_gpus.xml")]).says(
        "host eight-gpus", "0000:86:00.0, NUMA node 1", "nearest NIC mlx5_7 (same PCIe switch); a rank here uses mlx5_7:1 (same PCIe switch as GPU 0000:86:00.0)",
        "hardware threads 4-7; a rank here uses mlx5_4:1, mlx5_5:1, mlx5_6:1, mlx5_7:1 (same NUMA node as its cores (NUMA node 1))",
        "port mlx5_7:1          0000:86:01.0, NUMA node 1, up, speed unknown")
    run([info_program, "--topology", str(MACHINES / "odd.xml")]).says("port mlx5_3:1          0000:42:00.0, NUMA node 2, down")


def check_own_topology() -> None:
    """lstopo's file of this machine says what this machine does."""
    here = report(REPORT)["hosts"][0]
    with tempfile.TemporaryDirectory(prefix="info-") as name:
        file = f"{name}/here.xml"
        subprocess.run([program("lstopo"), "--whole-io", file], check=True, capture_output=True)
        there = report(FILE_REPORT, "--topology", file)["hosts"][0]
    for host in (here, there):  # a file does not tell which interfaces are up
        for node in host["numa_nodes"]:
            del node["network"]
    for key in ("name", "system", "cpu", "cores", "hardware_threads", "memory_bytes", "caches", "numa_nodes"):
        equal(there[key], here[key], key)
    equal([nic["pci"] for nic in there["nics"]], [nic["pci"] for nic in here["nics"]], "nics")


def check_file() -> None:
    with tempfile.TemporaryDirectory(prefix="info-") as name:
        file = Path(name) / "report.json"
        run([info_program, "--json", str(file)]).says("libulysses_coll", "host ", "RLIMIT_NOFILE", "environment")
        parsed(REPORT, file.read_text(encoding="utf-8"))


def check_refuses() -> None:
    xml = str(MACHINES / "two_sockets.xml")
    for arguments, text in ((["--topology", "/nonexistent.xml"], "/nonexistent.xml: not a topology"),
                            (["--topology", xml, "--ranks", "2"], "leave --ranks and --measure out"),
                            (["--measure"], "add --ranks N"), (["--ranks", "33", "--measure"], "at most 32 ranks"),
                            (["--ranks", "0"], "1 to 256"), (["--json", "/nonexistent/x"], "cannot be written"),
                            (["--nonsense"], "see --help")):
        ended = run([info_program, *arguments])
        ended.fails(text, within_s=10)
        equal(ended.status, 2, f"status of {arguments}")
    for ended in ranks(by_hand(2, ULYSSES_ROOT=local_root()), [info_program, "--ranks", "2"]):
        ended.fails("leave --ranks out", within_s=10)


def check_self_test() -> None:
    """The comparison with a shape finds each kind of difference."""
    shape = {"a": COUNT, "b": ([{"c": OPTIONAL_TEXT}], type(None))}
    expect(not differences(shape, {"a": 1, "b": None}), "null is no list")
    expect(not differences(shape, {"a": 1, "b": [{"c": None}, {"c": "x"}]}), "a good value has differences")
    for bad in ({"a": 1}, {"a": 1, "b": [], "d": 2}, {"a": "1", "b": []}, {"a": True, "b": []}, {"a": 1, "b": [{"c": 2}]},
                {"a": 1, "b": {}}, []):
        expect(differences(shape, bad), f"no difference found in {bad}")


CHECKS: dict[str, Callable[[], None]] = {name.removeprefix("check_"): function for name, function in globals().items()
                                         if name.startswith("check_")}


def main(arguments: list[str]) -> int:
    global info_program
    if not arguments:
        print("\n".join(CHECKS))
        return 0
    name, info_program = arguments
    return run_check(CHECKS, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
