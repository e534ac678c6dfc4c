#!/bin/sh
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
# compile.sh REPORT COMMAND...: runs the CUDA compiler. What it says of registers and spills goes to REPORT
# (tests/device/resources.py reads it); when it fails, to the terminal.
report=$1
shift
if "$@" >"$report" 2>&1; then exit 0; fi
cat "$report" >&2
exit 1
