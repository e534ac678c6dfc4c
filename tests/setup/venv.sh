#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# tests/setup/venv.sh: build/venv, a Python with torch and DeepSpeed for the plugin's tests; does nothing when it is up
# to date. Status 1 when a package cannot be had: the tests then skip, and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=build/venv
wanted=$(cat tests/plugin/requirements.txt tests/setup/venv.sh)
[ "$(cat "$dir/installed.txt" 2>/dev/null)" = "$wanted" ] && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  "$@" >>"$log" 2>&1 && return
  tail -n 20 "$log" >&2
  echo "venv.sh: failed: $*" >&2
  exit 1
}

rm -rf "$dir"
run python3 -m venv "$dir"
pip=("$dir/bin/python" -m pip install --quiet --disable-pip-version-check)
run "${pip[@]}" --requirement tests/plugin/requirements.txt
# Its own set-up imports torch, and would compile operators that CPU tests do not need.
DS_BUILD_OPS=0 run "${pip[@]}" --no-deps --no-build-isolation deepspeed==0.19.8
printf '%s\n' "$wanted" >"$dir/installed.txt"
