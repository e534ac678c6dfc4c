// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "kernels/device/portable.h"

namespace ulysses::device {

/// Division of numbers below 2^31 by one that is known before the kernel runs: a multiplication and a shift, where a
/// GPU's own division takes some twenty instructions (Granlund and Montgomery, Division by Invariant Integers using
/// Multiplication, 1994).
class Divisor {
 public:
  struct Parts {
    uint32_t quotient, remainder;
  };

  Divisor() = default;
  /// 1 <= divisor < 2^31.
  explicit Divisor(uint32_t divisor) : divisor_(divisor) {
    while ((uint64_t{1} << shift_) < divisor) ++shift_;
    const uint64_t power = uint64_t{1} << shift_;
    magic_ = static_cast<uint32_t>(((power - divisor) << 32) / divisor + 1);
  }

  ULYSSES_HOST_DEVICE Parts split(uint32_t number) const {
    const uint32_t high = static_cast<uint32_t>(static_cast<uint64_t>(number) * magic_ >> 32);
    const uint32_t quotient = (high + number) >> shift_;
    return {quotient, number - quotient * divisor_};
  }

 private:
  uint32_t divisor_ = 1, magic_ = 1, shift_ = 0;
};

}  // namespace ulysses::device
