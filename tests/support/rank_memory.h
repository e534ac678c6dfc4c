// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/rng.h"
#include "support/tensor_image.h"

namespace ulysses::test {

/// Memory of one rank for the tensors of a few exchanges. Registered tensors lie anywhere in a few segments that live
/// on from exchange to exchange; now and then segments are freed and made anew, so that peers see stale generations.
class RankMemory {
 public:
  RankMemory() = default;
  RankMemory(const RankMemory&) = delete;
  RankMemory& operator=(const RankMemory&) = delete;
  ~RankMemory();

  /// A copy of the image; the first element is at + image.base. Throws when there is no memory. Valid until reset().
  std::uint8_t* place(const Image& image, bool registered);

  /// Forget all tensors. No exchange may be under way.
  void reset(Rng* rng);

 private:
  struct Segment {
    std::uint8_t* begin;
    std::size_t bytes;
    std::size_t used;
  };
  std::uint8_t* placeRegistered(std::size_t bytes);
  std::uint8_t* placePrivate(std::size_t bytes);
  void freeSegments();

  std::vector<Segment> segments_;
  std::vector<void*> blocks_;
};

}  // namespace ulysses::test
