// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which kinds of memory NCCL is offered, by what UCX takes.
#include <gtest/gtest.h>

#include "pointers.h"

namespace ulysses::nccl {
namespace {

constexpr uint64_t bitOf(ucs_memory_type_t type) { return uint64_t{1} << type; }

TEST(NetPointers, AreWhatUcxTakes) {
  const uint64_t host = bitOf(UCS_MEMORY_TYPE_HOST);
  const uint64_t cuda = host | bitOf(UCS_MEMORY_TYPE_CUDA);
  EXPECT_EQ(pointersOf(0, Reach::ByCopies), kPointerHost);  // UCX could not be asked
  EXPECT_EQ(pointersOf(host, Reach::ByCopies), kPointerHost);
  EXPECT_EQ(pointersOf(cuda, Reach::ByCopies), kPointerHost | kPointerCuda);
  // Managed memory and other makers' GPUs are not what NCCL means by it.
  EXPECT_EQ(pointersOf(host | bitOf(UCS_MEMORY_TYPE_CUDA_MANAGED) | bitOf(UCS_MEMORY_TYPE_ROCM), Reach::ByCopies),
            kPointerHost);
  EXPECT_EQ(pointersOf(~uint64_t{0}, Reach::ByCopies), kPointerHost | kPointerCuda);  // never DMA-BUF
  EXPECT_EQ(pointersOf(cuda, Reach::ByAdapter), kPointerHost);                        // it would need a flush
}

TEST(NetPointers, TypeOfMemory) {
  constexpr int kBoth = kPointerHost | kPointerCuda;
  EXPECT_EQ(memoryTypeOf(kPointerHost, kPointerHost), UCS_MEMORY_TYPE_HOST);
  EXPECT_EQ(memoryTypeOf(kPointerHost, kBoth), UCS_MEMORY_TYPE_HOST);
  EXPECT_EQ(memoryTypeOf(kPointerCuda, kBoth), UCS_MEMORY_TYPE_CUDA);
  EXPECT_EQ(memoryTypeOf(kPointerCuda, kPointerHost), std::nullopt);
  for (const int bad : {0, kBoth, 4, 8, -1}) EXPECT_EQ(memoryTypeOf(bad, kBoth), std::nullopt) << bad;
}

}  // namespace
}  // namespace ulysses::nccl
