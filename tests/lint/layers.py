#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: base < {topo, plan, kernels} < path < exchange < comm < api.

plan, topo and kernels include only base. perf and plugin see only themselves and include/, but for what BORROWED says,
and so does attention, but for what its own kernels share with those of kernels (headers only: it is another library).
Inside src/ an include is written "room/file.h", relative to src/.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import lintlib

# room -> rooms of src/ that its files may include, besides itself
ROOMS: dict[str, set[str]] = {
    "base": set(),
    "topo": {"base"},
    "plan": {"base"},
    "kernels": {"base"},
    "path": {"base", "topo", "plan", "kernels"},
    "exchange": {"base", "topo", "plan", "kernels", "path"},
    "comm": {"base", "topo", "plan", "kernels", "path", "exchange"},
    "api": {"base", "topo", "plan", "kernels", "path", "exchange", "comm"},
    "attention": {"kernels"},
}
# other libraries whose own habit is quotes -> the rooms that use them
QUOTED_LIBRARIES = {"hwy": {"attention", "kernels"}}
# top-level folders, and rooms of src/, that see only include/ and themselves
OUTSIDE = ("perf", "plugin")
# folders of OUTSIDE -> what they include of elsewhere, and the folder that its includes are relative to
BORROWED = {
    "plugin/nccl_net": {"src/base/": "src/", "src/path/ucx/": "src/"},
    "perf": {"plugin/nccl_net/abi/": "plugin/nccl_net/"},
}
# rooms of src/ that see the public headers
PUBLIC_USERS = {"api", "attention"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def check_inside(room: str, target: str, quoted: bool, public: set[str]) -> str | None:
    """A file of src/<room> includes `target`."""
    if target in public:
        return None if room in PUBLIC_USERS else f"only {', '.join(sorted(PUBLIC_USERS))} may include {target}"
    first, slash, _ = target.partition("/")
    if not slash:
        return f'"{target}" is not written as "room/file.h"' if quoted else None
    if first in QUOTED_LIBRARIES:
        users = QUOTED_LIBRARIES[first]
        return None if room in users else f"only {', '.join(sorted(users))} may include {first}"
    if first not in ROOMS:
        return f'unknown room "{first}"' if quoted else None
    if first != room and first not in ROOMS[room]:
        return f"{room} may not include {first}; it may include: {', '.join(sorted(ROOMS[room])) or 'nothing'}"
    return None


def check_outside(folder: str, target: str, quoted: bool, public: set[str], own: set[str]) -> str | None:
    """A file of perf/ or plugin/ includes `target`; `own` are the headers of that folder, by every tail of their path."""
    first, slash, _ = target.partition("/")
    if slash and (first in ROOMS or first == "src"):
        return f"{folder} sees only include/, not {target}"
    if quoted and target not in public and target not in own:
        return f'"{target}" is neither a public header nor one of {folder}/'
    return None


def borrowed(name: str, files: list[str]) -> set[str]:
    """What the file `name` may include of elsewhere, as it is written."""
    return {
        other.removeprefix(base)
        for folder, lenders in BORROWED.items() if name.startswith(folder + "/")
        for lender, base in lenders.items()
        for other in files if other.startswith(lender)
    }


def tails(name: str) -> set[str]:
    """perf/a/b.h -> {perf/a/b.h, a/b.h, b.h}"""
    parts = name.split("/")
    return {"/".join(parts[start:]) for start in range(len(parts))}


def check(root: Path, files: list[str]) -> list[str]:
    public = {name.removeprefix("include/") for name in files if name.startswith("include/")}
    own = {folder: set().union(*(tails(name) for name in files if name.startswith(folder + "/"))) for folder in OUTSIDE}
    findings = []
    for name in filter(lintlib.is_cxx, files):
        top, _, rest = name.partition("/")
        room = rest.partition("/")[0]
        if top == "src" and room not in ROOMS:
            findings.append(f"{name}:1: unknown room src/{room}; rooms are: {', '.join(ROOMS)}")
        if top not in ("src", "include", *OUTSIDE) or (top == "src" and room not in ROOMS):
            continue
        text = lintlib.read(root, name)
        lent = borrowed(name, files)
        for match in INCLUDE.finditer(text):
            quoted, target = match[1] == '"', match[2]
            if ".." in target.split("/"):
                problem: str | None = f'"{target}" goes up with ".."'
            elif top == "src":
                problem = check_inside(room, target, quoted, public)
            elif top == "include":
                problem = f'"{target}" is not a public header' if quoted and target not in public else None
            elif target in lent:
                problem = None
            else:
                problem = check_outside(top, target, quoted, public, own[top])
            if problem:
                findings.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {problem}")
    return findings


CASES = [
    lintlib.Case("good tree", {
        "include/ulysses_coll.h": "#include <stdint.h>\n",
        "src/base/a.h": "#include <vector>\n",
        "src/kernels/k.cc": '#include "hwy/highway.h"\n',
        "src/plan/p.cc": '#include "plan/p.h"\n#include "base/a.h"\n#include <fmt/core.h>\n',
        "src/api/x.cc": '#include "ulysses_coll.h"\n#include "comm/c.h"\n',
        "perf/main.cc": '#include "ulysses_coll.h"\n#include "table.h"\n',
        "perf/table.h": "",
    }, None),
    lintlib.Case("plan sees topo", {"src/plan/p.cc": '#include "topo/t.h"\n'}, "plan may not include topo"),
    lintlib.Case("upwards", {"src/path/p.cc": '\n#include "comm/c.h"\n'}, "src/path/p.cc:2: path may not include comm"),
    lintlib.Case("angle brackets", {"src/base/b.cc": "#include <plan/p.h>\n"}, "base may not include plan"),
    lintlib.Case("SIMD elsewhere", {"src/path/p.cc": "#include <hwy/highway.h>\n"}, "only attention, kernels may include hwy"),
    lintlib.Case("unknown room", {"src/misc/m.cc": ""}, "unknown room src/misc"),
    lintlib.Case("unknown target", {"src/api/a.cc": '#include "misc/m.h"\n'}, 'unknown room "misc"'),
    lintlib.Case("bare name", {"src/api/a.cc": '#include "a.h"\n'}, "room/file.h"),
    lintlib.Case("public header below api", {"include/u.h": "", "src/base/a.h": '#include "u.h"\n'}, "may include u.h"),
    lintlib.Case("perf sees src", {"perf/m.cc": '#include "base/log.h"\n'}, "perf sees only include/"),
    lintlib.Case("plugin borrows", {
        "src/path/ucx/worker.h": "",
        "plugin/nccl_net/abi/net.h": "",
        "plugin/nccl_net/a.cc": '#include "path/ucx/worker.h"\n#include "abi/net.h"\n',
        "perf/net.cc": '#include "abi/net.h"\n',
    }, None),
    lintlib.Case("plugin sees comm", {"src/comm/c.h": "", "plugin/nccl_net/a.cc": '#include "comm/c.h"\n'},
                 "plugin sees only include/"),
    lintlib.Case("another plugin sees base", {"src/base/b.h": "", "plugin/x/a.cc": '#include "base/b.h"\n'},
                 "plugin sees only include/"),
    lintlib.Case("attention sees comm", {"src/attention/a.cc": '#include "comm/c.h"\n'}, "attention may not include"),
    lintlib.Case("dots", {"src/base/b.cc": '#include "../plan/p.h"\n'}, 'goes up with ".."'),
]

if __name__ == "__main__":
    sys.exit(lintlib.main(check, CASES))
