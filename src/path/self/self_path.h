// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <unistd.h>

#include "path/board_path.h"

namespace ulysses {

/// Ranks that are threads of one process: every pointer of a peer is good here.
class SelfPath final : public BoardPath {
 public:
  using BoardPath::BoardPath;

  std::string_view name() const noexcept override { return "self"; }
  std::string reasonFor(int) const override { return "same process: plain pointers"; }

  TensorRef locate(const void* pointer, const Extent&) override;
  bool mappable(int, const TensorRef&) const noexcept override { return true; }
  const std::byte* map(int, const TensorRef& ref, const Extent&) override;

  // Nothing is ever staged, so these are never called with a peer that has something to stage.
  void requireChunks(int) override {}
  int64_t chunkBytes() const noexcept override { return 0; }
  std::span<std::byte> chunkTo(int) noexcept override { return {}; }
  void sendChunk(int, int64_t) noexcept override {}
  std::span<const std::byte> chunkFrom(int) noexcept override { return {}; }
  void releaseChunk(int) noexcept override {}
  void prepareStaging() override {}

  std::optional<std::string> lost(int peer) override;
  int pidOf(int) const noexcept override { return getpid(); }
  std::string describe(int) const override { return "a thread of this process"; }
};

}  // namespace ulysses
