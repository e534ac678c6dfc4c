// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/shadows.h"

#include <algorithm>
#include <climits>

#include "base/check.h"

namespace ulysses {
namespace {

constexpr int64_t kMaxPieces = int64_t{1} << 27;  // of a copy, that the kernel counts: 2 GiB

/// Copies that go in one launch, or in more where one is full.
class Batch {
 public:
  Batch(DeviceRuntime& runtime, const device::Lease& lease, uint32_t tilePieces, int blocks, void* stream)
      : runtime_(runtime), blocks_(blocks), stream_(stream) {
    copies_.lease = lease;
    copies_.tilePieces = tilePieces;
  }

  void add(const device::ShardCopy& copy) {
    if (copies_.n == device::kTensors) flush();
    device::ShardCopy& added = copies_.copies[copies_.n++] = copy;
    added.rows.firstTile = copies_.tiles;
    copies_.tiles += (copy.rows.pieces + copies_.tilePieces - 1) / copies_.tilePieces;
  }
  void flush() {
    if (copies_.n == 0) return;
    const auto most = static_cast<int>(std::min<uint32_t>(copies_.tiles, INT_MAX));
    runtime_.launchCopies(copies_, std::clamp(most, 1, blocks_), stream_);
    copies_.n = copies_.tiles = 0;
  }

 private:
  DeviceRuntime& runtime_;
  int blocks_;
  void* stream_;
  device::ShardCopies copies_;
};

/// A tensor's axes but its rows: how many there are of each, one where a step leads to the same place.
std::array<int64_t, 4> countsOf(const DeviceCall& call, int tensor, const device::TensorPlace& place) {
  const Plan& plan = call.plan();
  const Shape shape = shardShape(plan.geometry(), plan.distribution(), plan.tensors()[static_cast<size_t>(tensor)],
                                 call.isPulled(tensor) ? plan.sourceSide() : plan.destinationSide(), plan.rank());
  std::array<int64_t, 4> counts{shape.tokens, shape.batch, shape.groups, shape.headsPerGroup};
  for (size_t i = 0; i < counts.size(); ++i)
    if (place.strides[i] == 0) counts[i] = std::min<int64_t>(counts[i], 1);
  return counts;
}

void addCopies(Batch& batch, const DeviceCall& call, int tensor, const std::byte* from, std::byte* to) {
  const device::TensorPlace& place = call.arguments().letter.tensors[tensor];
  const auto [tokens, nBatch, groups, heads] = countsOf(call, tensor, place);
  const int64_t rowBytes = call.plan().tensors()[static_cast<size_t>(tensor)].rowBytes();
  const int64_t perRow = (rowBytes + device::kPieceBytes - 1) / device::kPieceBytes;
  const int64_t perToken = nBatch * groups * heads * perRow;
  if (perToken >= kMaxPieces)
    raise(Result::NotSupported, "tensors[{}]: a token has {} bytes; memory that peers cannot map takes less than {}",
          tensor, perToken * device::kPieceBytes, kMaxPieces * device::kPieceBytes);
  const auto divisor = [](int64_t n) { return device::Divisor(static_cast<uint32_t>(n)); };
  device::ShardCopy copy;
  copy.place = place;
  copy.alignment = static_cast<uint32_t>(place.alignment);
  copy.rows = {.piecesPerRow = divisor(perRow),
               .heads = divisor(heads),
               .groups = divisor(groups),
               .batch = divisor(nBatch),
               .rowBytes = static_cast<uint32_t>(rowBytes)};
  std::copy(std::begin(place.strides), std::end(place.strides), copy.sourceStrides);
  const int64_t most = (kMaxPieces - 1) / perToken;
  for (int64_t first = 0; first < tokens; first += most) {
    copy.from = from + first * place.strides[0];
    copy.to = to + first * place.strides[0];
    copy.rows.pieces = static_cast<uint32_t>(std::min(most, tokens - first) * perToken);
    batch.add(copy);
  }
}

}  // namespace

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

void ShadowedCall::copyIn(DeviceRuntime& runtime, const device::Lease& lease, int blocks, void* stream) const {
  Batch batch(runtime, lease, call_.arguments().work.tilePieces, blocks, stream);
  for (size_t t = 0; t < n_; ++t)
    if (shadowedInputs_[t] != nullptr)
      addCopies(batch, call_, static_cast<int>(t), shadowedInputs_[t], const_cast<std::byte*>(inputs_[t]));
  batch.flush();
}

void ShadowedCall::copyOut(DeviceRuntime& runtime, const device::Lease& lease, int blocks, void* stream) const {
  Batch batch(runtime, lease, call_.arguments().work.tilePieces, blocks, stream);
  for (size_t t = 0; t < n_; ++t)
    if (shadowedOutputs_[t] != nullptr) addCopies(batch, call_, static_cast<int>(t), outputs_[t], shadowedOutputs_[t]);
  batch.flush();
}

}  // namespace ulysses
