#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Every source file opens with the two SPDX lines (after the #! line of a script)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import lintlib

HEADER = re.compile(
    r"(?:#![^\n]*\n)?"
    r"(//|#) SPDX-FileCopyrightText: \d{4} The libulysses_coll authors\n"
    r"\1 SPDX-License-Identifier: Apache-2\.0\n")


def check(root: Path, files: list[str]) -> list[str]:
    def is_source(name: str) -> bool:
        return lintlib.is_cxx(name) or lintlib.is_python(root, name) or lintlib.is_shell(root, name)

    return [f"{name}:1: the two SPDX lines are missing (see tests/lint/spdx.py)"
            for name in files if is_source(name) and not HEADER.match(lintlib.read(root, name))]


COPYRIGHT = "SPDX-FileCopyrightText: 2026 The libulysses_coll authors\n"
LICENSE = "SPDX-License-Identifier: Apache-2.0\n"
CASES = [
    lintlib.Case("good", {"src/a.cc": f"// {COPYRIGHT}// {LICENSE}", "run": f"#!/bin/sh\n# {COPYRIGHT}# {LICENSE}",
                          "notes.txt": "anything"}, None),
    lintlib.Case("none", {"src/a.h": "#pragma once\n"}, "src/a.h:1"),
    lintlib.Case("one line", {"src/a.h": f"// {COPYRIGHT}#pragma once\n"}, "src/a.h:1"),
    lintlib.Case("other licence", {"a.py": f"# {COPYRIGHT}# SPDX-License-Identifier: MIT\n"}, "a.py:1"),
    lintlib.Case("script without suffix", {"perf/run": "#!/usr/bin/env bash\ntrue\n"}, "perf/run:1"),
]

if __name__ == "__main__":
    sys.exit(lintlib.main(check, CASES))
