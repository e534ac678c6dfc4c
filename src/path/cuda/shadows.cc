// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/shadows.h"

#include <algorithm>
#include <utility>

#include "path/cuda/shard_batch.h"

namespace ulysses {

void Shadows::remove(const std::byte* shadow) {
  std::erase_if(all_, [&](const Shadow& each) { return each.shadow == shadow; });
}

std::byte* Shadows::find(const std::byte* begin, const std::byte* end) const {
  for (const Shadow& each : all_)
    if (each.memory <= begin && end <= each.memory + each.bytes) return each.shadow + (begin - each.memory);
  return nullptr;
}

ShadowedCall::ShadowedCall(const Shadows& shadows, const DeviceCall& call, std::span<const std::byte* const> inputs,
                           std::span<std::byte* const> outputs)
    : call_(call), n_(inputs.size()) {
  std::ranges::copy(inputs, inputs_.begin());
  std::ranges::copy(outputs, outputs_.begin());
  for (size_t t = 0; t < n_; ++t) {
    const device::TensorPlace& place = call.arguments().letter.tensors[t];
    if (place.begin == place.end) continue;
    const bool pulled = call.isPulled(static_cast<int>(t));
    const std::byte* const memory = pulled ? inputs[t] : outputs[t];
    std::byte* const shadow = shadows.find(memory + place.begin, memory + place.end);
    if (shadow == nullptr) continue;
    if (pulled) {
      shadowedInputs_[t] = std::exchange(inputs_[t], shadow - place.begin);
    } else {
      shadowedOutputs_[t] = std::exchange(outputs_[t], shadow - place.begin);
    }
  }
}

ShardRows ShadowedCall::rowsOf(int tensor) const {
  return ulysses::rowsOf(call_.plan(), tensor, call_.isPulled(tensor), call_.arguments().letter.tensors[tensor]);
}

void ShadowedCall::copyIn(DeviceRuntime& runtime, const device::Lease& lease, int blocks, void* stream) const {
  ShardBatch batch(runtime, lease, call_.arguments().work.tilePieces, blocks, stream);
  for (size_t t = 0; t < n_; ++t)
    if (shadowedInputs_[t] != nullptr)
      batch.add(rowsOf(static_cast<int>(t)), shadowedInputs_[t], const_cast<std::byte*>(inputs_[t]));
  batch.flush();
}

void ShadowedCall::copyOut(DeviceRuntime& runtime, const device::Lease& lease, int blocks, void* stream) const {
  ShardBatch batch(runtime, lease, call_.arguments().work.tilePieces, blocks, stream);
  for (size_t t = 0; t < n_; ++t)
    if (shadowedOutputs_[t] != nullptr) batch.add(rowsOf(static_cast<int>(t)), outputs_[t], shadowedOutputs_[t]);
  batch.flush();
}

}  // namespace ulysses
