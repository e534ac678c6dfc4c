// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <optional>

#include "kernels/device/handover.h"

namespace ulysses {

// Near the wrap, so that it comes in every longer run.
inline constexpr uint32_t kHandoversAtStart = 0u - 64u;

/// The host's end of what src/kernels/device/handover.h says of the stream's. One thread, but for lost().
class HandoverEnd {
 public:
  /// Of words that no stream uses yet.
  explicit HandoverEnd(device::Handover& shared) : shared_(shared) {
    shared.posted.epoch = shared.ended.epoch = epoch_;
  }

  /// The call that was posted and not ended yet, once.
  std::optional<device::Order> take() {
    if (std::atomic_ref(shared_.posted.epoch).load(std::memory_order_acquire) != epoch_ + 1) return std::nullopt;
    ++epoch_;
    return shared_.posted.order;
  }
  /// Of the call that was taken. What this thread, and those it knows of, did before is there for the stream.
  void end(bool failed) {
    shared_.ended.failed = failed ? 1 : 0;
    std::atomic_ref(shared_.ended.epoch).store(epoch_, std::memory_order_release);
  }

  /// Which call was taken last, from 1 on.
  uint32_t number() const { return epoch_ - kHandoversAtStart; }
  /// Which call's end the stream gave up to wait for.
  std::optional<uint32_t> lost() const {
    if (std::atomic_ref(shared_.lost.happened).load(std::memory_order_acquire) == 0) return std::nullopt;
    return shared_.lost.epoch - kHandoversAtStart;
  }

 private:
  device::Handover& shared_;
  uint32_t epoch_ = kHandoversAtStart;
};

}  // namespace ulysses
