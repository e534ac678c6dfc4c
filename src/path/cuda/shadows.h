// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <span>
#include <vector>

#include "path/cuda/device_call.h"
#include "path/cuda/shard_batch.h"
#include "path/record.h"

namespace ulysses {

/// Registered memory of this rank that its peers cannot map, and for each range the device memory, as large, that they
/// map instead.
class Shadows {
 public:
  void add(const std::byte* memory, int64_t bytes, std::byte* shadow) { all_.push_back({memory, bytes, shadow}); }
  void remove(const std::byte* shadow);
  bool empty() const { return all_.empty(); }
  /// Where the bytes [begin, end) have their shadow, or null.
  std::byte* find(const std::byte* begin, const std::byte* end) const;

 private:
  struct Shadow {
    const std::byte* memory;
    int64_t bytes;
    std::byte* shadow;
  };
  std::vector<Shadow> all_;
};

/// A call's tensors with shadows in place of what has one, and the copies between the two that go before and behind the
/// exchange, on its stream. Only what peers reach is copied: outputs, and inputs that are summed. Takes no memory.
class ShadowedCall {
 public:
  ShadowedCall(const Shadows& shadows, const DeviceCall& call, std::span<const std::byte* const> inputs,
               std::span<std::byte* const> outputs);

  std::span<const std::byte* const> inputs() const { return std::span(inputs_).first(n_); }
  std::span<std::byte* const> outputs() const { return std::span(outputs_).first(n_); }

  void copyIn(DeviceRuntime& runtime, const device::Lease& lease, int blocks, void* stream) const;
  void copyOut(DeviceRuntime& runtime, const device::Lease& lease, int blocks, void* stream) const;

 private:
  ShardRows rowsOf(int tensor) const;

  const DeviceCall& call_;
  size_t n_;
  std::array<const std::byte*, kMaxTensors> inputs_{};
  std::array<std::byte*, kMaxTensors> outputs_{};
  // The caller's, of tensors that have a shadow; else null.
  std::array<const std::byte*, kMaxTensors> shadowedInputs_{};
  std::array<std::byte*, kMaxTensors> shadowedOutputs_{};
};

}  // namespace ulysses
