#!/bin/sh
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
# toolkit.sh NVCC: that compiler's release, where its headers are, and its libraries; a line each. It may be a wrapper,
# so it is asked.
set -e
said=$("$1" --dryrun -x cu -c /dev/null 2>&1)
first() { printf '%s\n' "$said" | sed -n "s/^#\$ $1=//p" | tr -d '"' | tr ' ' '\n' | sed -n "s/^$2//p" | tail -n 1; }
"$1" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p'
first INCLUDES -I
first LIBRARIES -L
