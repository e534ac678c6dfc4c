// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/mapping_passing.h"

#include <algorithm>

namespace ulysses {

ImportedMemory::ImportedMemory(DeviceRuntime& runtime, const MappingOffer& offer) {
  try {
    range_.emplace(runtime, offer.bytes);
  } catch (const Error& error) {
    trouble_ = error.what();
  }
}

void ImportedMemory::append(std::span<const PassedFd> batch, int64_t expected, const Problem& problem) {
  if (!range_) return;
  try {
    if (problem[0] != '\0') raise(Result::SystemError, "{}", problem.data());
    if (std::ssize(batch) != expected)
      raise(Result::InternalError, "{} of {} descriptors of its mappings arrived", batch.size(), expected);
    for (const auto& [number, bytes, fd] : batch) {
      if (!fd) raiseErrno("receiving a descriptor", EMFILE);
      range_->append(fd.get(), static_cast<int64_t>(bytes));
    }
  } catch (const Error& error) {
    trouble_ = error.what();
    range_.reset();
  }
}

std::byte* ImportedMemory::data() const {
  if (!range_) raise(Result::SystemError, "{}", trouble_);
  if (!range_->isFull()) raise(Result::InternalError, "its mappings are smaller than it said");
  return range_->data();
}

/// With the next gathering.
void MappingPassing::send(std::span<const DeviceRuntime::Allocation> mappings, Batch& batch) {
  try {
    std::vector<PassedFd> passed;
    for (const auto& [base, bytes] : mappings)
      passed.push_back({batch.number, static_cast<uint64_t>(bytes), runtime_.exportMapping(base)});
    path_->pass(std::move(passed));
  } catch (const Error& error) {
    batch.problem = problemOf(error.what());
  }
}

/// When it fails nobody will take what was to go with it or may still come: a descriptor keeps memory that its owner
/// may have freed.
std::vector<MappingPassing::Batch> MappingPassing::gather(const Batch& mine) {
  try {
    std::vector<Batch> batches = gathered(allGather_, mine);
    for (size_t rank = 0; rank < batches.size(); ++rank) told_[rank] = batches[rank].number;
    return batches;
  } catch (...) {
    path_->pass({});
    for (size_t rank = 0; rank < told_.size(); ++rank)
      if (rank != rank_) path_->takePassed(static_cast<int>(rank), ++told_[rank]);
    throw;
  }
}

std::vector<std::optional<ImportedMemory>> MappingPassing::pass(std::span<const MappingOffer> offers,
                                                                std::span<const DeviceRuntime::Allocation> mine) {
  std::vector<std::optional<ImportedMemory>> imported(offers.size());
  size_t most = 0;
  for (size_t rank = 0; rank < offers.size(); ++rank) {
    most = std::max(most, static_cast<size_t>(offers[rank].mappings));
    if (offers[rank].isWanted) imported[rank].emplace(runtime_, offers[rank]);
  }
  const auto batchOf = [](size_t all, size_t first) {
    return first < all ? std::min(all - first, Path::kMostPassed) : 0;
  };
  for (size_t first = 0; first < most; first += Path::kMostPassed) {
    const size_t count = batchOf(mine.size(), first);
    Batch own{.number = ++told_[rank_]};
    if (count > 0) send(mine.subspan(first, count), own);
    const std::vector<Batch> batches = gather(own);
    for (size_t rank = 0; rank < offers.size(); ++rank) {
      const size_t expected = batchOf(static_cast<size_t>(offers[rank].mappings), first);
      if (expected == 0 || rank == rank_) continue;
      const auto& [number, problem] = batches[rank];
      const std::vector<PassedFd> passed = path_->takePassed(static_cast<int>(rank), number);  // wanted or not
      if (imported[rank]) imported[rank]->append(passed, static_cast<int64_t>(expected), problem);
    }
  }
  return imported;
}

}  // namespace ulysses
