// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ULYSSES_TEST_RANKS_PER_HOST=N: ranks as processes are told that each N of them are a host (ULYSSES_HOST_ID), so that
// one communicator has shared memory within a host and UCX between hosts.
#pragma once

namespace ulysses::test {

/// 0: all ranks are on the one host that there is.
int ranksPerHost();

/// In the process of a rank, before it makes a communicator.
void enterHost(int rank);

}  // namespace ulysses::test
