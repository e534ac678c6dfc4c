#!/bin/bash
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# perf/peer.sh P S B H HKV D ELSIZE: one exchange of the library as a RESULT line, for EXTRA_PEERS of the peers' run.sh.
#   HKV=0: one tensor; HKV>0: Q, K and V. ELSIZE: 2 (bf16) or 4 (f32)
# Environment, as for the peers: DIR=inv LAYOUT=bshd CONSUME FRESH ITERS WARM PIN; further: MEMORY=plain, BACKWARD=1,
# NAME (of the row), ULYSSES_PERF (the program; else what perf/run built, else the one in PATH).
[ $# = 7 ] || { sed -n '5,6p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
perf=${ULYSSES_PERF:-$root/build/perf/perf/ulysses_perf}
[ -x "$perf" ] || perf=ulysses_perf

case $7 in
  2) dtype=bf16 ;;
  4) dtype=f32 ;;
  *) echo "peer.sh: ELSIZE $7: use 2 or 4" >&2; exit 2 ;;
esac
operation=scatter_heads
options=(--ranks "$1" --seq "$2" --batch "$3" --heads "$4" --head-dim "$6" --dtype "$dtype")
[ "${DIR:-fwd}" = inv ] && operation=gather_heads
if [ "$5" -gt 0 ]; then
  [ "$operation" = gather_heads ] && { echo "peer.sh: DIR=inv takes HKV=0; use BACKWARD=1" >&2; exit 2; }
  operation=qkv
  options+=(--kv-heads "$5")
fi
options+=(--layout "${LAYOUT:-sbhd}" --memory "${MEMORY:-registered}" --peer-lines)
[ "${CONSUME:-0}" = 1 ] && options+=(--consume)
[ "${FRESH:-1}" = 0 ] && options+=(--no-fresh)
[ "${PIN:-1}" = 0 ] && options+=(--no-pin)
[ "${BACKWARD:-0}" = 1 ] && options+=(--backward)
[ -n "${ITERS:-}" ] && options+=(--iters "$ITERS")
[ -n "${WARM:-}" ] && options+=(--warmup "$WARM")
[ -n "${NAME:-}" ] && options+=(--peer-name "$NAME")
exec "$perf" "$operation" "${options[@]}"
