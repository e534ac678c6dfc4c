// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <limits>

#include "kernel_fixture.h"
#include "kernels/reference.h"

namespace ulysses::kernels::test {
namespace {

constexpr DataType kTypes[] = {DataType::F64, DataType::F32, DataType::F16, DataType::BF16};
constexpr Store kStores[] = {Store::Cached, Store::Streaming};

/// Bit for bit, except that any NaN equals any NaN unless `exact`.
bool sameElement(const std::byte* a, const std::byte* b, DataType type, bool exact) {
  if (std::memcmp(a, b, static_cast<size_t>(sizeOf(type))) == 0) return true;
  return !exact && std::isnan(elementReference(a, type)) && std::isnan(elementReference(b, type));
}

class SumRows : public EveryTarget {
 protected:
  /// Random elements of which some are special: random bits alone hardly ever give ties, subnormals or infinities.
  void fill(Memory& memory, int64_t from, DataType type) {
    const int64_t bytes = sizeOf(type);
    for (int64_t at = from; at + bytes <= static_cast<int64_t>(memory.size()); at += bytes) {
      if (pick(0, 2) == 0) continue;
      const uint64_t bits = specialBits(type);
      std::memcpy(memory.data() + at, &bits, static_cast<size_t>(bytes));
    }
  }
  /// Few mantissa bits and close exponents, so that sums meet ties, cancel, overflow and vanish.
  uint64_t specialBits(DataType type) {
    const int64_t width = 8 * sizeOf(type);
    const int64_t exponents = type == DataType::F64 ? 11 : type == DataType::F16 ? 5 : 8;
    const int64_t mantissa = width - 1 - exponents;
    const uint64_t largest = (uint64_t{1} << exponents) - 1;
    constexpr uint64_t kNear[] = {0, 1, 2};
    uint64_t exponent = kNear[pick(0, 2)];
    if (pick(0, 1)) exponent = largest / 2 + static_cast<uint64_t>(pick(0, mantissa + 2));
    if (pick(0, 9) == 0) exponent = largest - kNear[pick(0, 2)];
    const uint64_t fraction = pick(0, 1) ? uint64_t{1} << pick(0, mantissa - 1) : pick(0, 1) ? 0 : random_();
    const uint64_t mask = (uint64_t{1} << mantissa) - 1;
    return static_cast<uint64_t>(pick(0, 1)) << (width - 1) | (exponent & largest) << mantissa | (fraction & mask);
  }

  struct Geometry {
    DataType type;
    size_t sources;
    int64_t rows, elements, dstStride, dstOffset;
    bool misalignedSources;
  };
  void check(const Geometry& at, Store store) {
    const int64_t bytes = sizeOf(at.type), rowBytes = at.elements * bytes;
    std::vector<Memory> memories;
    std::vector<SourceRows> sources;
    for (size_t i = 0; i < at.sources; ++i) {
      const int64_t stride = i % 5 == 4 ? 0 : pick(0, 1) ? rowBytes : rowBytes + bytes * pick(0, 40);
      const int64_t offset = at.misalignedSources ? pick(0, 70) : 0;
      memories.push_back(randomBytes(std::max<int64_t>(at.rows - 1, 0) * stride + rowBytes + offset));
      fill(memories.back(), offset, at.type);
      const bool backward = at.rows > 0 && pick(0, 3) == 0;
      const std::byte* first = memories.back().data() + offset;
      sources.push_back(backward ? SourceRows{first + (at.rows - 1) * stride, -stride} : SourceRows{first, stride});
    }
    compare(at, store, sources);
  }
  void compare(const Geometry& at, Store store, const std::vector<SourceRows>& sources) {
    const int64_t bytes = sizeOf(at.type);
    const int64_t margin = 192;
    const Memory before =
        randomBytes(std::max<int64_t>(at.rows - 1, 0) * at.dstStride + at.elements * bytes + at.dstOffset + 2 * margin);
    Memory expected = before, actual = before;
    const auto sumInto = [&](Memory& memory) -> RowSum {
      return {memory.data() + margin + at.dstOffset, at.dstStride, sources, at.rows, at.elements, at.type};
    };
    sumRowsReference(sumInto(expected));
    sumRows(sumInto(actual), store);
    fence();
    for (int64_t row = 0; row < at.rows; ++row) {
      for (int64_t i = 0; i < at.elements; ++i) {
        const int64_t offset = margin + at.dstOffset + row * at.dstStride + i * bytes;
        ASSERT_TRUE(sameElement(&expected[size(offset)], &actual[size(offset)], at.type, sources.size() == 1))
            << nameOf(at.type) << " row " << row << " element " << i << " of " << at.elements << ", sources "
            << sources.size() << ": " << elementReference(&actual[size(offset)], at.type) << " instead of "
            << elementReference(&expected[size(offset)], at.type);
        std::memcpy(&actual[size(offset)], &expected[size(offset)], size(bytes));
      }
    }
    ASSERT_TRUE(expected == actual) << nameOf(at.type) << ": bytes outside the rows changed";
  }
  static size_t size(int64_t value) { return static_cast<size_t>(value); }
};

TEST_P(SumRows, RandomGeometry) {
  constexpr int64_t kLargest[] = {20, 100, 700, 5000};
  constexpr int64_t kSources[] = {1, 2, 2, 3, 5, 8};
  for (int i = 0; i < 240; ++i) {
    for (const DataType type : kTypes) {
      const int64_t elements = pick(0, kLargest[i % 4]), bytes = sizeOf(type);
      const int64_t gap = pick(0, 1) ? 0 : pick(0, 90) * bytes;
      const int64_t offset = i % 9 == 0 ? pick(0, 64) : bytes * pick(0, 40);
      check({type, size(kSources[i % 6]), pick(0, 9), elements, elements * bytes + gap, offset, i % 2 == 0},
            kStores[pick(0, 1)]);
    }
  }
}

TEST_P(SumRows, ManySourcesInOrder) {
  for (const DataType type : kTypes) {
    for (const Store store : kStores) check({type, 67, 3, 333, 333 * sizeOf(type), 0, true}, store);
  }
}

TEST_P(SumRows, OneLongRow) {
  for (const DataType type : kTypes) {
    for (const Store store : kStores) check({type, 3, 1, 70003, 70003 * sizeOf(type), sizeOf(type), false}, store);
  }
}

/// Holds the conversions themselves, apart from the reference: x + -0 is x, for every x there is.
TEST_P(SumRows, Every16BitValueSurvives) {
  std::vector<uint16_t> values(65536), zeros(65536, 0x8000), sums(65536);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i);
  const SourceRows sources[] = {{reinterpret_cast<const std::byte*>(values.data()), 0},
                                {reinterpret_cast<const std::byte*>(zeros.data()), 0}};
  for (const DataType type : {DataType::F16, DataType::BF16}) {
    const int infinity = type == DataType::F16 ? 0x7C00 : 0x7F80;
    sumRows({reinterpret_cast<std::byte*>(sums.data()), 0, sources, 1, 65536, type}, Store::Cached);
    for (size_t i = 0; i < values.size(); ++i) {
      const bool isNan = (values[i] & 0x7FFF) > infinity;
      ASSERT_TRUE(isNan ? (sums[i] & 0x7FFF) > infinity : sums[i] == values[i]) << nameOf(type) << " " << i;
    }
  }
}

TEST_P(SumRows, RoundsByTheBook) {
  struct Case {
    DataType type;
    uint16_t a, b, sum;
  };
  constexpr Case kCases[] = {
      {DataType::BF16, 0x3F80, 0x3B80, 0x3F80},  // 1 + 2^-8: tie, to even
      {DataType::BF16, 0x3F81, 0x3B80, 0x3F82},  // 1 + 2^-7 + 2^-8: tie, to even, upwards
      {DataType::BF16, 0x3F80, 0x3B81, 0x3F81},  // just above the tie
      {DataType::BF16, 0x7F7F, 0x7B00, 0x7F80},  // the largest number and half of its last place: infinity
      {DataType::BF16, 0x7F7F, 0x7AFF, 0x7F7F},  // less than half
      {DataType::BF16, 0x0001, 0x0001, 0x0002},  // subnormal
      {DataType::BF16, 0x8000, 0x8000, 0x8000},  // -0
      {DataType::BF16, 0x7F80, 0xFF80, 0x7FC0},  // infinity - infinity: NaN
      {DataType::F16, 0x3C00, 0x1000, 0x3C00},   // 1 + 2^-11: tie, to even
      {DataType::F16, 0x3C01, 0x1000, 0x3C02},   // tie, to even, upwards
      {DataType::F16, 0x3C00, 0x1001, 0x3C01},   // just above
      {DataType::F16, 0x7BFF, 0x4C00, 0x7C00},   // 65504 + 16: tie, infinity
      {DataType::F16, 0x7BFF, 0x4BFF, 0x7BFF},   // 65504 + 15.99
      {DataType::F16, 0x0001, 0x83FF, 0x83FE},   // subnormals
      {DataType::F16, 0x8000, 0x0000, 0x0000},   // -0 + 0
      {DataType::F16, 0x7C00, 0xFC00, 0x7E00},   // infinity - infinity: NaN
  };
  for (const Case& one : kCases) {
    uint16_t sum = 0;
    const SourceRows sources[] = {{reinterpret_cast<const std::byte*>(&one.a), 0},
                                  {reinterpret_cast<const std::byte*>(&one.b), 0}};
    sumRows({reinterpret_cast<std::byte*>(&sum), 0, sources, 1, 1, one.type}, Store::Streaming);
    const auto* actual = reinterpret_cast<const std::byte*>(&sum);
    const auto* wanted = reinterpret_cast<const std::byte*>(&one.sum);
    EXPECT_TRUE(sameElement(actual, wanted, one.type, false)) << std::hex << one.a << " + " << one.b << " = " << sum;
  }
}

TEST_P(SumRows, NothingOutside) {
  Fenced a(70000), b(70000), dst(70000);
  for (const DataType type : kTypes) {
    for (int64_t elements = 1; elements < 2000; elements += 1 + elements / 15) {
      const int64_t bytes = elements * sizeOf(type);
      const SourceRows sources[] = {{a.end() - bytes, 0}, {b.begin(), 1}};
      for (const Store store : kStores) {
        sumRows({dst.end() - bytes, bytes, sources, 1, elements, type}, store);
        sumRows({dst.begin(), bytes, sources, 2, elements, type}, store);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, SumRows, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), nameOfParam);

}  // namespace
}  // namespace ulysses::kernels::test
