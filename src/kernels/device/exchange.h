// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/device/protocol.h"
#include "kernels/device/push.h"
#include "kernels/device/sum.h"

namespace ulysses::device {

/// One rank's exchange, whole or a phase of it: every thread of every block of one launch runs this. Rows go straight
/// from where the caller has them to where the peers want them; replicas are read from the peers and added, in
/// ascending rank order and with one rounding. kSums: whether there are any; without them the kernel needs fewer
/// registers.
template <bool kSums, typename Machine>
ULYSSES_HOST_DEVICE void exchange(const Arguments& call, Machine& machine) {
  if (!isLive(call.lease, machine)) return;
  Protocol<Machine> protocol(call, machine);
  if (call.phase == Phase::kClose) {
    protocol.close();
    return;
  }
  if (!protocol.meet()) return;
  push(call, machine, protocol.board());
  if constexpr (kSums) sum(call, machine, protocol.board());
  if (call.phase == Phase::kAll) protocol.finish();
}

}  // namespace ulysses::device
