// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether what a launch was given is still there: a CUDA graph keeps launches, and makes them again when their
// communicator is long gone. Word and bell live as long as the process uses the GPU, so a kernel may look at them
// first.
#pragma once
#include <cstdint>

#include "kernels/device/portable.h"

namespace ulysses::device {

struct Lease {
  const uint32_t* word = nullptr;  // in memory of the GPU; null: nothing ends before the launch does
  uint32_t* bell = nullptr;        // in host memory, of the process
  uint32_t id = 0;                 // of no other lease of the process; never 0
};

/// Whether a wait since `begin` is over; not where the clock was set back meanwhile.
template <typename Machine>
ULYSSES_HOST_DEVICE bool isPast(uint64_t begin, uint64_t timeoutNs, const Machine& machine) {
  return static_cast<int64_t>(machine.now() - begin) > static_cast<int64_t>(timeoutNs);
}

/// Whether the lease has not ended; else rings the bell with its id. Ends only when no launch under it runs, so that
/// all threads come to one answer.
template <typename Machine>
ULYSSES_HOST_DEVICE bool isLive(const Lease& lease, const Machine& machine) {
  if (lease.word == nullptr || machine.load(lease.word) == lease.id) return true;
  if (machine.thread() == 0) machine.store(lease.bell, lease.id);
  return false;
}

}  // namespace ulysses::device
