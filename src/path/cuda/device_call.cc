// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/device_call.h"

#include <cstring>
#include <numeric>
#include <span>

namespace ulysses {
namespace {

/// Arrays behind each other, and where each will be.
class Image {
 public:
  template <typename T>
  size_t add(const T* data, size_t count) {
    const size_t at = (bytes_.size() + kAlignment - 1) / kAlignment * kAlignment;
    bytes_.resize(at + count * sizeof(T));
    if (count > 0) std::memcpy(bytes_.data() + at, data, count * sizeof(T));
    return at;
  }
  template <typename T>
  size_t add(const std::vector<T>& array) {
    return add(array.data(), array.size());
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  static constexpr size_t kAlignment = 16;
  std::vector<std::byte> bytes_;
};

}  // namespace

DeviceCall::DeviceCall(PlanMemory& memory, const Plan& plan, uint64_t callHash, uint32_t tilePieces, CopyChoice choice)
    : plan_(plan), work_(plan, tilePieces), choice_(std::move(choice)) {
  const device::Work host = work_.work();
  const auto n = static_cast<size_t>(plan.nRanks());
  tiles_ = std::accumulate(host.pushTiles, host.pushTiles + n, host.sumTiles);
  ownTiles_ = host.pushTiles[plan.rank()];
  Image image;
  const size_t pushes = image.add(work_.pushes()), firstPush = image.add(host.firstPush, n + 1),
               pushTiles = image.add(host.pushTiles, n), sums = image.add(work_.sums()),
               sources = image.add(work_.sources()), assumed = image.add(choice_.assumed);
  memory_ = memory.take(image.bytes());
  const auto at = [&]<typename T>(size_t offset, const T*& pointer) {
    pointer = reinterpret_cast<const T*>(memory_.get() + offset);
  };
  device::Work& work = arguments_.work = host;
  at(pushes, work.pushes);
  at(firstPush, work.firstPush);
  at(pushTiles, work.pushTiles);
  at(sums, work.sums);
  at(sources, work.sources);
  at(assumed, assumed_);
  arguments_.nRanks = plan.nRanks();
  arguments_.nTensors = static_cast<int32_t>(plan.tensors().size());
  arguments_.letter.callHash = callHash;
  for (int t = 0; t < arguments_.nTensors; ++t) {
    arguments_.letter.tensors[t] = work_.placeOf(plan, t);
    arguments_.sums = arguments_.sums || isPulled(t);
  }
}

}  // namespace ulysses
