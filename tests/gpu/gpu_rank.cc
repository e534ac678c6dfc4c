// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu_rank.h"

#include <algorithm>

#include "kernels/device/launch.h"

namespace ulysses::test {

GpuWork::GpuWork(const DeviceWork& work, int nRanks)
    : host_(work.work()),
      pushes_(upload(work.pushes())),
      firstPush_(upload(host_.firstPush, static_cast<std::size_t>(nRanks) + 1)),
      pushTiles_(upload(host_.pushTiles, static_cast<std::size_t>(nRanks))),
      sums_(upload(work.sums())),
      sources_(upload(work.sources())) {}

device::Work GpuWork::work() const {
  device::Work work = host_;
  work.pushes = pushes_.as<device::PushBox>();
  work.firstPush = firstPush_.as<std::uint32_t>();
  work.pushTiles = pushTiles_.as<std::uint32_t>();
  work.sums = sums_.as<device::SumBox>();
  work.sources = sources_.as<device::SumSource>();
  return work;
}

GpuRank::GpuRank(int nRanks, std::uint32_t epoch) : board_(device::Board::bytesFor(nRanks)) {
  check(cudaMemset(board_.data(), 0, device::Board::bytesFor(nRanks)), "cudaMemset");
  device::Board::Local local{};
  local.epoch = epoch;
  check(cudaMemcpy(board_.data(), &local, sizeof(local), cudaMemcpyHostToDevice), "cudaMemcpy");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  void* report = nullptr;
  check(cudaHostAlloc(&report, sizeof(device::Report), cudaHostAllocMapped), "cudaHostAlloc");
  report_ = new (report) device::Report{};
}

GpuRank::~GpuRank() {
  cudaStreamDestroy(stream_);
  cudaFreeHost(report_);
}

void GpuRank::join(const std::vector<std::byte*>& boards, const std::vector<device::Segment>& segments) {
  boards_ = std::make_unique<DeviceBuffer>(upload(boards));
  segments_ = std::make_unique<DeviceBuffer>(upload(segments));
}

DeviceMemory GpuRank::memory(const device::Work& work, std::byte* arena) const {
  return {.boards = boards_->as<std::byte*>(),
          .segments = segments_->as<device::Segment>(),
          .report = report_,
          .work = work,
          .arena = arena};
}

int blocksFor(int ranks) {
  int resident = 0;
  const device::CudaError error = device::loadExchange(&resident);
  if (!error.empty()) throw std::runtime_error(error);
  return std::max(1, resident / ranks);
}

std::string differenceOf(const std::byte* arena, const Bytes& expected) {
  Bytes actual(expected.size());
  check(cudaMemcpy(actual.data(), arena, actual.size(), cudaMemcpyDeviceToHost), "cudaMemcpy to the host");
  const auto [at, wanted] = std::mismatch(actual.begin(), actual.end(), expected.begin());
  if (at == actual.end()) return "";
  return "byte " + std::to_string(at - actual.begin()) + " of " + std::to_string(actual.size()) + " is " +
         std::to_string(static_cast<int>(*at)) + ", not " + std::to_string(static_cast<int>(*wanted));
}

}  // namespace ulysses::test
