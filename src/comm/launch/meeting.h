// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How the ranks that a launcher started agree on the id of a communicator.
#pragma once
#include "comm/bootstrap/rendezvous.h"
#include "comm/launch/launcher.h"

namespace ulysses {

struct Meeting {
  UniqueId id;
  Patience patience;
  Serving serving{};  // at rank 0
};

/// The id of the `number`-th communicator of all ranks of this launcher; at rank 0 its rendezvous is open on return.
/// By ULYSSES_ROOT, else the launcher's key-value store, else MASTER_ADDR. Throws Error.
Meeting meet(const Launcher& launcher, uint64_t number, Deadline deadline);

}  // namespace ulysses
