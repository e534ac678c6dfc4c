# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ranks import Ranks

_teams: dict[int, Ranks] = {}


@pytest.fixture
def team():
    """team(ranks): those processes, started at the first use."""

    def of(ranks: int) -> Ranks:
        if ranks not in _teams:
            _teams[ranks] = Ranks(ranks)
        return _teams[ranks]

    return of


def pytest_sessionfinish(session, exitstatus):
    """Ranks end with live tensors and communicators: that must not crash."""
    codes = [code for ranks in _teams.values() for code in ranks.close()]
    if any(code != 0 for code in codes):
        print(f"\nexit codes of the ranks: {codes}, want 0")
        session.exitstatus = 1
