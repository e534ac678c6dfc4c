#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""ulysses_perf --memory cuda without a GPU (one that is there is hidden): an error that says so, with a remedy, and nothing left."""

from __future__ import annotations

import os
import subprocess
import sys

WANTED = ("--memory cuda: not supported", "or use --memory registered")


def problems(program: str, *options: str) -> list[str]:
    command = [program, "qkv", "--memory", "cuda", "--seq", "64", "--heads", "4", *options]
    done = subprocess.run(command, env=dict(os.environ, CUDA_VISIBLE_DEVICES=""), capture_output=True, text=True, timeout=60, check=False)
    missing = [text for text in WANTED if text not in done.stderr]
    if done.returncode != 1:
        missing.append(f"exit status 1, not {done.returncode}")
    return [f"{' '.join(command)}: no {text!r} in: {done.stderr}" for text in missing]


def main(program: str) -> int:
    bad = [*problems(program), *problems(program, "--ranks", "1"), *problems(program, "--ranks", "4", "--compare", "floor,permute")]
    print("\n".join(bad) or "refused, with the reason")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
