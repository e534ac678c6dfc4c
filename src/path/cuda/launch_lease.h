// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "path/cuda/runtime.h"

namespace ulysses {

/// What launches of a rank are made under, and look at before anything else: one that a CUDA graph makes after the end
/// does nothing but say so. Its word is never freed but given to later leases, each with an id of its own: a process
/// keeps 4 KiB of a GPU for every 1024 of them that it held at once.
class LaunchLease {
 public:
  /// `holder` is named to the user.
  LaunchLease(DeviceRuntime& runtime, const std::string& holder);
  ~LaunchLease() { end(); }
  LaunchLease(const LaunchLease&) = delete;
  LaunchLease& operator=(const LaunchLease&) = delete;

  const device::Lease& device() const { return lease_; }
  /// No launch under it may run, or be enqueued and not in a graph.
  void end() noexcept;

 private:
  DeviceRuntime& runtime_;
  uint64_t context_;
  bool ended_ = false;
  device::Lease lease_;
};

/// What to tell of a launch under a lease that had ended, of the last one and once; "" when there was none. A load
/// where there was none.
std::string takeReplayText();

/// The same, as a warning in the log.
void warnOfReplays() noexcept;

}  // namespace ulysses
