// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/rank_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "ulysses_coll.h"

namespace ulysses::test {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSegmentBytes = 256 << 10;
constexpr std::size_t kKeepBytes = 1 << 20;  // more than this is freed at the next reset

}  // namespace

RankMemory::~RankMemory() {
  for (void* block : blocks_) std::free(block);
  freeSegments();
}

std::uint8_t* RankMemory::place(const Image& image, bool registered) {
  std::uint8_t* at = registered ? placeRegistered(image.bytes.size()) : placePrivate(image.bytes.size());
  std::memcpy(at, image.bytes.data(), image.bytes.size());
  return at;
}

void RankMemory::reset(Rng* rng) {
  for (void* block : blocks_) std::free(block);
  blocks_.clear();
  std::size_t held = 0;
  for (Segment& segment : segments_) {
    // Starting elsewhere each time: a tensor may lie at any offset of its segment.
    segment.used = static_cast<std::size_t>(rng->between(0, 100)) * kAlignment;
    held += segment.bytes;
  }
  if (held > kKeepBytes || rng->chance(4)) freeSegments();
}

std::uint8_t* RankMemory::placeRegistered(std::size_t bytes) {
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  for (Segment& segment : segments_) {
    if (segment.used + rounded > segment.bytes) continue;
    segment.used += rounded;
    return segment.begin + (segment.used - rounded);
  }
  Segment segment = {nullptr, std::max(kSegmentBytes, rounded), rounded};
  void* pointer = nullptr;
  if (ulyssesMemAlloc(&pointer, segment.bytes) != ulyssesSuccess) {
    throw std::runtime_error(std::string("ulyssesMemAlloc: ") + ulyssesGetLastError(nullptr));
  }
  segment.begin = static_cast<std::uint8_t*>(pointer);
  segments_.push_back(segment);
  return segment.begin;
}

/// A block of its own for each tensor: address sanitizer then sees every byte beyond it.
std::uint8_t* RankMemory::placePrivate(std::size_t bytes) {
  void* block = nullptr;
  if (posix_memalign(&block, kAlignment, bytes) != 0) throw std::bad_alloc();
  blocks_.push_back(block);
  return static_cast<std::uint8_t*>(block);
}

void RankMemory::freeSegments() {
  for (const Segment& segment : segments_) (void)ulyssesMemFree(segment.begin);
  segments_.clear();
}

}  // namespace ulysses::test
