// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Communicators of ranks that are threads of this process and are told that they are on several hosts: shared memory
// within a host, UCX between hosts.
#pragma once
#include <memory>
#include <vector>

#include "comm/communicator.h"

namespace ulysses::test {

/// One for each rank; `hosts` says by rank which host it is on.
std::vector<std::unique_ptr<Communicator>> makeHostComms(const std::vector<int>& hosts, std::int64_t timeoutMs);

}  // namespace ulysses::test
