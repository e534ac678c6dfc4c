// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ucx_perftest, the yardstick: the same transports, by the environment, between two local processes.
#pragma once
#include <string>

#include "net_end.h"
#include "net_options.h"

namespace ulysses::perf {

// One run of tag_bw or tag_lat of as many messages; its seconds, for latency of a message one way. Throws RunError with
// what it said.
double runUcxPerftest(const NetOptions& options, const NetTask& task);

}  // namespace ulysses::perf
