#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# perf/cost_of_checks.sh [ROUNDS]: what comparing the ranks' calls and deadlines cost, by a build without them, in turns.
# The case is 64 KiB from each peer, where it would show: two ranks, 128 KiB received by each. Prints each pair of times
# back to back and the median of their ratios. Builds build/perf (as perf/run does) and build/unchecked.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/setup/common.sh
source tests/setup/common.sh

rounds=${1:-21}
case_args=(scatter_heads --ranks 2 --seq 128 --heads 8 --head-dim 128 --dtype bf16 --iters 2000 --peer-lines)

configure build/perf -Dtests=disabled -Dperf=enabled -Dmpi=enabled
configure build/unchecked -Dtests=disabled -Dperf=enabled -Dmpi=disabled -Dchecks=false
build build/perf
build build/unchecked

median_of() { "$1/perf/ulysses_perf" "${case_args[@]}" | sed -n 's/.* b2b=\([0-9.]*\) .*/\1/p' | head -n 1; }

pairs=$(
  for ((round = 0; round < rounds; round++)); do
    if ((round % 2)); then # each is first as often
      checked=$(median_of build/perf) unchecked=$(median_of build/unchecked)
    else
      unchecked=$(median_of build/unchecked) checked=$(median_of build/perf)
    fi
    awk -v a="$checked" -v b="$unchecked" 'BEGIN { printf "%.4f checked %s us unchecked %s us\n", a / b, a, b }'
  done
)
sort -n <<<"$pairs" | tee /dev/stderr | awk '
  { ratio[NR] = $1 }
  END { printf "checked / unchecked: median %s of %d pairs\n", ratio[int((NR + 1) / 2)], NR }'
