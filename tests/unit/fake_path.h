// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdlib>
#include <map>
#include <vector>

#include "path/path.h"

namespace ulysses::test {

/// A path that knows the arrays of peers and the first cause, and nothing else.
class FakePath final : public Path {
 public:
  std::map<int, std::vector<std::int64_t>> tokens, queryHeads;  // by rank

  std::int64_t tokensOf(int peer, std::uint64_t, int index) const noexcept override {
    return tokens.find(peer)->second[static_cast<std::size_t>(index)];
  }
  std::int64_t queryHeadsOf(int peer, std::uint64_t, int index) const noexcept override {
    return queryHeads.find(peer)->second[static_cast<std::size_t>(index)];
  }

  std::string_view name() const noexcept override { return "fake"; }
  std::string reasonFor(int) const override { return {}; }
  TensorRef locate(const void*, const Extent&) override { return {}; }
  Result publish(const Posting&, Deadline) noexcept override { return Result::Success; }
  std::optional<Announcement> announcement(int, std::uint64_t) noexcept override { return std::nullopt; }
  const CallRecord& record(int, std::uint64_t) const noexcept override { return record_; }
  std::uint64_t lastSequence(int) const noexcept override { return 0; }
  Council& council() noexcept override { std::abort(); }
  void finish(std::uint64_t) noexcept override {}
  bool finished(int, std::uint64_t) const noexcept override { return true; }
  bool slotFree(int, std::uint64_t) const noexcept override { return true; }
  bool mappable(int, const TensorRef&) const noexcept override { return true; }
  const std::byte* map(int, const TensorRef&, const Extent&) override { return nullptr; }
  void requireChunks(int) override {}
  std::int64_t chunkBytes() const noexcept override { return 0; }
  std::span<std::byte> chunkTo(int) noexcept override { return {}; }
  void sendChunk(int, std::int64_t) noexcept override {}
  std::span<const std::byte> chunkFrom(int) noexcept override { return {}; }
  void releaseChunk(int) noexcept override {}
  void prepareStaging() override {}
  void sleep() noexcept override {}
  std::optional<std::string> lost(int) override { return std::nullopt; }
  bool isRevoked() const noexcept override { return cause_.result != 0; }
  void revoke(const Cause& cause) noexcept override {
    if (!isRevoked()) cause_ = cause;
  }
  Cause cause() const noexcept override { return cause_; }
  int pidOf(int) const noexcept override { return 0; }
  std::string describe(int) const override { return {}; }

 private:
  CallRecord record_;
  Cause cause_;
};

}  // namespace ulysses::test
