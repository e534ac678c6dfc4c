# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes are exceptions of their own class, with the library's text, at every rank, at once."""

from __future__ import annotations

import time

import pytest
import torch
import torch.distributed as dist
import ulysses_torch as ulysses


def check_mismatch(rank, ranks):
    start = time.monotonic()
    with pytest.raises(ulysses.MismatchError, match=r"sequence: rank 0 passed 8, rank 1 passed 16"):
        ulysses.scatter_heads(torch.zeros(1, 4 if rank == 0 else 8, 4, 16))
    with pytest.raises(ulysses.MismatchError, match="dtype"):
        ulysses.scatter_heads(torch.zeros(1, 4, 4, 16, dtype=torch.float32 if rank else torch.int32))
    assert time.monotonic() - start < 10
    assert ulysses.scatter_heads(torch.ones(1, 4, 4, 16)).sum() == 8 * 2 * 16, "and it goes on"


def test_mismatch(team):
    team(2).run(check_mismatch)


def check_local(rank, ranks):
    good = torch.zeros(1, 4, 4, 16)
    cases = [
        (lambda: ulysses.scatter_heads(good.to("meta")), "meta"),
        (lambda: ulysses.scatter_heads(good.transpose(2, 3)), "head_dim has stride"),
        (lambda: ulysses.scatter_heads(good.to(torch.complex64)), "complex64"),
        (lambda: ulysses.scatter_heads(good[0]), "3 dimensions"),
        (lambda: ulysses.scatter_heads(good, tokens=(3, 5)), "tokens in dimension 1"),
        (lambda: ulysses.gather_heads(good, heads=4), "heads in dimension 2"),
        (lambda: ulysses.scatter_heads(torch.zeros(1, 4, 1, 16)), "1 query heads|query head"),
        (lambda: ulysses.scatter_heads(good, kind="keys"), "want one of query, kv"),
        (lambda: ulysses.scatter_heads(good, layout="bsdh"), "ends with d"),
        (lambda: ulysses.scatter_heads(good, order="spiral"), "contiguous, zigzag"),
    ]
    for call, text in cases:
        with pytest.raises(ValueError, match=text):
            call()
    assert issubclass(ulysses.InvalidArgumentError, ValueError)


def test_local_mistakes_are_found_before_anything_is_sent(team):
    team(2).run(check_local)


def check_remote(rank, ranks):
    """Found by the library, not by the package: one rank's call is invalid, the other hears why."""
    group = dist.new_group([0, 1])
    with ulysses.Communicator.from_group(group, timeout_ms=20_000, name="remote") as comm:
        geometry = {"heads": 4, "kv_heads": 1, "kind": "kv"}
        x = torch.zeros(1, 8, 1, 16)
        expected = ulysses.InvalidArgumentError if rank == 0 else (ulysses.RemoteInvalidError, ulysses.MismatchError)
        with pytest.raises(expected, match="SUM|sum"):
            ulysses.gather_heads(x, group=comm, sum=rank != 0, **geometry)
        dist.barrier()  # rank 0, which knows at once, must not leave before the other has called


def test_a_peer_hears_of_an_invalid_call(team):
    team(2).run(check_remote)


def check_one_rank_is_wrong(rank, ranks):
    """Found by the package: the other rank must not wait for the deadline."""
    good = torch.ones(1, 4, 4, 16)
    start = time.monotonic()
    with pytest.raises(ulysses.InvalidArgumentError if rank == 0 else ulysses.RemoteInvalidError):
        ulysses.scatter_heads(good.transpose(2, 3) if rank == 0 else good)
    assert time.monotonic() - start < 10
    assert ulysses.scatter_heads(good).sum() == 8 * 2 * 16, "and it goes on"


def test_a_peer_hears_of_a_mistake_that_the_package_finds(team):
    team(2).run(check_one_rank_is_wrong)


def check_lost(rank, ranks):
    group = dist.new_group([0, 1])
    comm = ulysses.Communicator.from_group(group, timeout_ms=20_000)
    ulysses.scatter_heads(torch.ones(1, 4, 4, 16), group=comm)
    dist.barrier()
    if rank == 1:
        comm.destroy()
        comm.destroy()
        with pytest.raises(ulysses.InvalidUsageError, match="destroyed"):
            ulysses.scatter_heads(torch.ones(1, 4, 4, 16), group=comm)
    else:
        with pytest.raises(ulysses.RemoteLostError, match="rank 1 was lost") as caught:
            ulysses.scatter_heads(torch.ones(1, 4, 4, 16), group=comm)
        assert isinstance(caught.value, ConnectionError)
        comm.abort()
    dist.barrier()
    again = ulysses.Communicator.from_group(group)
    assert again is not comm and ulysses.scatter_heads(torch.ones(1, 4, 4, 16), group=again).sum() == 8 * 2 * 16


def test_lost_peer_and_a_new_communicator(team):
    team(2).run(check_lost)


def check_timeout(rank, ranks):
    group = dist.new_group([0, 1])
    comm = ulysses.Communicator.from_group(group, timeout_ms=300)
    if rank == 0:
        with pytest.raises(TimeoutError, match="waiting for rank 1"):
            ulysses.scatter_heads(torch.ones(1, 4, 4, 16), group=comm)
    dist.barrier()


def test_timeout(team):
    team(2).run(check_timeout)


def check_subgroups(rank, ranks):
    """Ranks of a group count from 0 in it, whatever their global ones."""
    groups = [dist.new_group([3, 1]), dist.new_group([0, 2])]
    own = groups[0] if rank in (1, 3) else groups[1]
    comm = ulysses.Communicator.from_group(own)
    assert (comm.rank, comm.ranks) == (dist.get_rank(own), 2)
    assert ulysses.Communicator.from_group(own) is comm
    first = dist.get_global_rank(own, 0)
    got = ulysses.scatter_heads(torch.full((1, 2, 4, 8), float(rank)), group=own)
    assert got[0, 0, 0, 0] == first


def test_subgroups(team):
    team(4).run(check_subgroups)
