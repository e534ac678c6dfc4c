#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# perf/between_hosts.sh ARGUMENTS: install what is needed, build, and run perf/between_hosts.py with these arguments and the
# ulysses_perf just built: an exchange between two emulated hosts beside MPI, sockets, UCX and iperf3. --help has the options.
#
# On Debian 12 missing packages are installed. Needs root in any case, for network namespaces. The build is build/perf.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/setup/common.sh
source tests/setup/common.sh

need_packages "${build_packages[@]}" "${perf_packages[@]}" "${hosts_packages[@]}"
configure build/perf -Dtests=disabled -Dperf=enabled -Dmpi=enabled
build build/perf
exec perf/between_hosts.py --perf build/perf/perf/ulysses_perf "$@"
