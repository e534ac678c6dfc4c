# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Ranks as processes that live through the whole run, since importing torch takes seconds. Each gets (function, arguments)
and answers with what it returned or how it failed."""

from __future__ import annotations

import datetime
import os
import tempfile
import traceback
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

PATIENCE_S = 120


def _serve(rank: int, ranks: int, store: str, tasks, answers) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(ranks), LOCAL_RANK=str(rank))
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=ranks, timeout=datetime.timedelta(seconds=60)
    )
    while (task := tasks.get()) is not None:
        function, arguments = task
        torch.manual_seed(1)
        try:
            answers.put((rank, function(rank, ranks, *arguments), None))
        except BaseException:  # the test shall see it, whatever it is
            answers.put((rank, None, traceback.format_exc()))
    dist.destroy_process_group()


class Ranks:
    def __init__(self, ranks: int) -> None:
        context = mp.get_context("spawn")
        self.ranks = ranks
        self.directory = tempfile.TemporaryDirectory()
        self.tasks = [context.Queue() for _ in range(ranks)]
        self.answers = context.Queue()
        store = os.path.join(self.directory.name, "store")
        self.processes = [
            context.Process(target=_serve, args=(rank, ranks, store, self.tasks[rank], self.answers), daemon=True)
            for rank in range(ranks)
        ]
        for process in self.processes:
            process.start()

    def run(self, function: Callable, *arguments) -> list:
        """function(rank, ranks, *arguments) at every rank; what each returned. Raises with the text of who failed."""
        for queue in self.tasks:
            queue.put((function, arguments))
        results = [None] * self.ranks
        problems = []
        for _ in range(self.ranks):
            rank, result, problem = self.answers.get(timeout=PATIENCE_S)
            results[rank] = result
            if problem:
                problems.append(f"rank {rank}: {problem}")
        assert not problems, "\n".join(problems)
        return results

    def close(self) -> list[int | None]:
        """How each rank's process ended."""
        for queue in self.tasks:
            queue.put(None)
        for process in self.processes:
            process.join(timeout=30)
        codes = [process.exitcode for process in self.processes]
        for process in self.processes:
            process.kill()
        self.directory.cleanup()
        return codes
