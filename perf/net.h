// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses::perf {

// ulysses_perf net ...: bandwidth and latency of the NCCL net plugin between two local processes. The exit code.
int runNet(int argc, char** argv);

}  // namespace ulysses::perf
