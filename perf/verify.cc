// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "verify.h"

#include <algorithm>
#include <array>
#include <vector>

namespace ulysses::perf {
namespace {

constexpr int64_t kLargestSum = 256;  // integers up to here are exact in bf16, the type with the fewest bits

uint64_t mix(uint64_t value) {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9u;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

// A row is head_dim neighbouring elements; its key is all that its elements have in common.
struct Row {
  int64_t offset;  // in bytes
  int64_t position, batch, head;
};

uint64_t keyOf(uint64_t seed, int tensor, const Row& row) {
  uint64_t key = mix(seed * 8 + static_cast<uint64_t>(tensor) + 1);
  key = mix(key ^ static_cast<uint64_t>(row.position));
  key = mix(key ^ static_cast<uint64_t>(row.batch) << 32 ^ static_cast<uint64_t>(row.head));
  return key;
}

// One multiplication, a xor and a shift an element: verification of gigabytes takes seconds.
uint64_t bitsOf(uint64_t key, int64_t d) {
  const uint64_t value = (key + static_cast<uint64_t>(d)) * 0x9e3779b97f4a7c15u;
  return value ^ value >> 29;
}

// The rows of a tensor in the order of its memory. sequenceSide: its tokens are the rank's own, else all tokens in
// order.
template <typename Visit>
void forEachRow(const Case& test, int tensor, int rank, const Shape& shape, bool sequenceSide, Visit visit) {
  const ByteStrides strides = test.strides(shape);
  const int64_t firstHead = sequenceSide ? 0 : test.headBegin(tensor, rank);
  const std::vector<int64_t>& positions = test.shares[static_cast<size_t>(rank)].positions;
  const auto emit = [&](int64_t token, int64_t batch, int64_t head) {
    visit(Row{token * strides.token + batch * strides.batch + head * strides.head,
              sequenceSide ? positions[static_cast<size_t>(token)] : token, batch, firstHead + head});
  };
  const bool batchFirst = test.layout != ulyssesLayoutSBHD;
  const bool headSecond = test.layout == ulyssesLayoutBHSD;
  const int64_t outer = batchFirst ? shape.batch : shape.tokens;
  const int64_t middle = batchFirst ? (headSecond ? shape.heads : shape.tokens) : shape.batch;
  const int64_t inner = headSecond ? shape.tokens : shape.heads;
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < middle; ++j) {
      for (int64_t k = 0; k < inner; ++k) {
        if (!batchFirst) {
          emit(i, j, k);
        } else if (headSecond) {
          emit(k, i, j);
        } else {
          emit(j, i, k);
        }
      }
    }
  }
}

// Integers from -amplitude to amplitude, by type, small enough that all ranks together stay exact.
class SmallIntegers {
 public:
  SmallIntegers(const Case& test) : amplitude_(std::clamp<int64_t>(kLargestSum / test.ranks, 1, 3)) {
    for (int64_t value = -kLargestSum; value <= kLargestSum; ++value) {
      bits_[static_cast<size_t>(value + kLargestSum)] = encodeSmallInteger(*test.type, value);
    }
  }

  int64_t value(uint64_t key, int sender, int64_t d) const {
    const uint64_t random = bitsOf(mix(key + static_cast<uint64_t>(sender) * 0xd1b54a32d192ed03u), d) >> 33;
    return static_cast<int64_t>(random % static_cast<uint64_t>(2 * amplitude_ + 1)) - amplitude_;
  }

  uint64_t encode(int64_t value) const { return bits_[static_cast<size_t>(value + kLargestSum)]; }

 private:
  int64_t amplitude_;
  std::array<uint64_t, 2 * kLargestSum + 1> bits_{};
};

// With a type of the element's width, so that the loops over d are tight.
template <typename Act>
auto withElement(const Case& test, Act act) {
  switch (test.type->bytes) {
    case 1:
      return act(uint8_t{});
    case 2:
      return act(uint16_t{});
    case 4:
      return act(uint32_t{});
    default:
      return act(uint64_t{});
  }
}

template <typename Element, typename BitsAt>
int64_t countOther(const std::byte* data, int64_t headDim, BitsAt bitsAt) {
  const auto* elements = reinterpret_cast<const Element*>(data);
  int64_t wrong = 0;
  for (int64_t d = 0; d < headDim; ++d) wrong += elements[d] != static_cast<Element>(bitsAt(d));
  return wrong;
}

// What the given ranks sent of a head, added up.
int64_t countWrongSum(const Case& test, int tensor, int rank, uint64_t seed, const std::byte* output,
                      const std::vector<std::vector<int>>& sendersOfHead) {
  const SmallIntegers integers(test);
  const int64_t headDim = test.tensors[static_cast<size_t>(tensor)].headDim;
  int64_t wrong = 0;
  forEachRow(test, tensor, rank, test.outputShape(tensor, rank), true, [&](const Row& row) {
    const std::vector<int>& senders = sendersOfHead[static_cast<size_t>(row.head)];
    if (senders.empty()) return;
    const uint64_t key = keyOf(seed, tensor, row);
    const auto bitsAt = [&](int64_t d) {
      int64_t sum = 0;
      for (const int sender : senders) sum += integers.value(key, sender, d);
      return integers.encode(sum);
    };
    wrong +=
        withElement(test, [&](auto zero) { return countOther<decltype(zero)>(output + row.offset, headDim, bitsAt); });
  });
  return wrong;
}

std::vector<std::vector<int>> holdersOfHeads(const Case& test, int tensor) {
  std::vector<std::vector<int>> holders;
  for (int64_t head = 0; head < test.fullHeads(tensor); ++head) holders.push_back(test.holders(tensor, head));
  return holders;
}

}  // namespace

void fillInput(const Case& test, int tensor, int rank, uint64_t seed, std::byte* data) {
  const TensorSpec& spec = test.tensors[static_cast<size_t>(tensor)];
  const SmallIntegers integers(test);
  const bool sequenceSide = test.op == ulyssesOpScatterHeads;
  forEachRow(test, tensor, rank, test.inputShape(tensor, rank), sequenceSide, [&](const Row& row) {
    const uint64_t key = keyOf(seed, tensor, row);
    withElement(test, [&](auto zero) {
      using Element = decltype(zero);
      auto* elements = reinterpret_cast<Element*>(data + row.offset);
      for (int64_t d = 0; d < spec.headDim; ++d) {
        elements[d] = static_cast<Element>(spec.sum ? integers.encode(integers.value(key, rank, d)) : bitsOf(key, d));
      }
    });
  });
}

int64_t countWrong(const Case& test, int tensor, int rank, uint64_t seed, const std::byte* output) {
  const TensorSpec& spec = test.tensors[static_cast<size_t>(tensor)];
  if (spec.sum) return countWrongSum(test, tensor, rank, seed, output, holdersOfHeads(test, tensor));
  const bool sequenceSide = test.op == ulyssesOpGatherHeads;
  int64_t wrong = 0;
  forEachRow(test, tensor, rank, test.outputShape(tensor, rank), sequenceSide, [&](const Row& row) {
    const uint64_t key = keyOf(seed, tensor, row);
    wrong += withElement(test, [&](auto zero) {
      return countOther<decltype(zero)>(output + row.offset, spec.headDim, [key](int64_t d) { return bitsOf(key, d); });
    });
  });
  return wrong;
}

int64_t countWrongPartial(const Case& test, int tensor, int rank, uint64_t seed, int replica, const std::byte* output) {
  std::vector<std::vector<int>> senders = holdersOfHeads(test, tensor);
  for (std::vector<int>& holders : senders) {
    const auto wanted = static_cast<size_t>(replica);
    holders = wanted < holders.size() ? std::vector<int>{holders[wanted]} : std::vector<int>{};
  }
  return countWrongSum(test, tensor, rank, seed, output, senders);
}

}  // namespace ulysses::perf
