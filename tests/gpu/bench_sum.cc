// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_sum.h"

#include <cstring>

#include "packing.h"

namespace ulysses::test {
namespace {

std::vector<std::byte> packedBy(const perf::Packing& packing, const std::vector<std::byte>& input) {
  if (!packing.packs()) return input;
  std::vector<std::byte> packed(static_cast<std::size_t>(packing.packedBytes()));
  packing.pack(input.data(), packed.data());
  return packed;
}

}  // namespace

std::vector<std::vector<std::byte>> sumsByHost(const perf::Case& test,
                                               const std::vector<std::vector<std::byte>>& inputs) {
  std::vector<perf::Packing> packings;
  std::vector<std::vector<std::byte>> packed, outputs;
  for (int rank = 0; rank < test.ranks; ++rank) {
    packings.emplace_back(test, 0, rank);
    packed.push_back(packedBy(packings.back(), inputs[static_cast<std::size_t>(rank)]));
  }
  for (int rank = 0; rank < test.ranks; ++rank) {
    const perf::Packing& packing = packings[static_cast<std::size_t>(rank)];
    std::vector<std::byte> received(static_cast<std::size_t>(packing.receivedBytes()));  // sums are always unpacked
    for (int sender = 0; sender < test.ranks; ++sender) {
      const perf::Block from = packings[static_cast<std::size_t>(sender)].sendBlock(rank),
                        to = packing.receiveBlock(sender);
      if (to.bytes == 0) continue;
      std::memcpy(received.data() + to.offset, packed[static_cast<std::size_t>(sender)].data() + from.offset,
                  static_cast<std::size_t>(to.bytes));
    }
    outputs.emplace_back(static_cast<std::size_t>(test.outputBytes(0, rank)));
    packing.unpack(received.data(), outputs.back().data());
  }
  return outputs;
}

}  // namespace ulysses::test
