// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses {

/// Throws SystemError when this host has too few local ports left for a worker, which listens on each interface: UCX
/// 1.13.1 then tries again without end inside ucp_worker_create, where no deadline counts.
void requireFreePorts();

}  // namespace ulysses
