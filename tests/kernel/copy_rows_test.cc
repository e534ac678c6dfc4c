// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernel_fixture.h"
#include "kernels/reference.h"

namespace ulysses::kernels::test {
namespace {

struct Geometry {
  int64_t rows, rowBytes, dstStride, srcStride, dstOffset, srcOffset;
};

/// Bytes that `rows` rows at `stride` span.
int64_t spanOf(int64_t rows, int64_t rowBytes, int64_t stride) {
  return rows > 0 ? (rows - 1) * std::abs(stride) + rowBytes : 0;
}

/// The address of row 0 inside memory that begins at `memory`: a negative stride starts at the far end.
template <typename Byte>
Byte* firstRow(Byte* memory, int64_t rows, int64_t stride) {
  return stride < 0 ? memory + (rows - 1) * -stride : memory;
}

class CopyRows : public EveryTarget {
 protected:
  /// Kernel and reference write into equal memories, which must be equal afterwards: rows and all around them.
  void check(const Geometry& at, Store store) {
    const int64_t margin = 200;
    const Memory src = randomBytes(spanOf(at.rows, at.rowBytes, at.srcStride) + at.srcOffset);
    const Memory before = randomBytes(spanOf(at.rows, at.rowBytes, at.dstStride) + at.dstOffset + 2 * margin);
    Memory expected = before, actual = before;
    const auto copyInto = [&](Memory& memory) -> RowCopy {
      return {firstRow(memory.data() + margin + at.dstOffset, at.rows, at.dstStride),
              at.dstStride,
              firstRow(src.data() + at.srcOffset, at.rows, at.srcStride),
              at.srcStride,
              at.rows,
              at.rowBytes};
    };
    copyRowsReference(copyInto(expected));
    copyRows(copyInto(actual), store);
    fence();
    ASSERT_TRUE(expected == actual) << "rows " << at.rows << " rowBytes " << at.rowBytes << " dstStride "
                                    << at.dstStride << " srcStride " << at.srcStride << " dstOffset " << at.dstOffset
                                    << " srcOffset " << at.srcOffset;
  }
  void checkBoth(const Geometry& at) {
    check(at, Store::Cached);
    check(at, Store::Streaming);
  }
  int64_t pickStride(int64_t rowBytes) {
    switch (pick(0, 3)) {
      case 0:
        return rowBytes;
      case 1:
        return (rowBytes + 63) / 64 * 64 + 64 * pick(0, 9);
      case 2:
        return rowBytes + pick(0, 777);
      default:
        return -(rowBytes + pick(0, 300));
    }
  }
};

TEST_P(CopyRows, EverySmallSize) {
  for (int64_t rowBytes = 0; rowBytes <= 700; ++rowBytes) {
    checkBoth({pick(1, 3), rowBytes, rowBytes + pick(0, 70), rowBytes + pick(0, 70), pick(0, 63), pick(0, 63)});
  }
}

TEST_P(CopyRows, RandomGeometry) {
  constexpr int64_t kLargest[] = {80, 600, 2500, 9000, 40000};
  for (int i = 0; i < 1000; ++i) {
    const int64_t rowBytes = pick(0, kLargest[i % 5]);
    const int64_t srcStride = i % 11 == 0 ? 0 : pickStride(rowBytes);
    checkBoth({pick(0, 20), rowBytes, pickStride(rowBytes), srcStride, pick(0, 130), pick(0, 130)});
  }
}

TEST_P(CopyRows, LongRows) {
  for (const int64_t rowBytes : {32767, 65536 + 1, 524287, 600001, 1 << 20}) {
    checkBoth({1, rowBytes, rowBytes, rowBytes, pick(0, 130), pick(0, 130)});
    checkBoth({3, rowBytes, rowBytes + 64, rowBytes + 13, pick(0, 1) * 17, pick(0, 1) * 5});
  }
}

TEST_P(CopyRows, NothingToDo) {
  copyRows({nullptr, 0, nullptr, 0, 0, 128}, Store::Streaming);
  copyRows({nullptr, 64, nullptr, 64, 1000, 0}, Store::Streaming);
  copyRows({nullptr, 0, nullptr, 0, 0, 0}, Store::Cached);
}

/// Only the rows' own pages are ever backed by memory: strides beyond 2^32 in a reserved address range.
TEST_P(CopyRows, HugeStride) {
  constexpr int64_t kStride = (int64_t{5} << 30) + 4096, kRows = 9, kBytes = 1000;
  constexpr size_t kSpan = static_cast<size_t>(kStride * kRows);
  void* base = ::mmap(nullptr, kSpan, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) GTEST_SKIP() << "cannot reserve 45 GiB of addresses";
  const Memory src = randomBytes(kBytes * kRows);
  Memory back(src.size());
  auto* const far = static_cast<std::byte*>(base) + 3;
  for (const Store store : {Store::Cached, Store::Streaming}) {
    copyRows({far, kStride, src.data(), kBytes, kRows, kBytes}, store);
    copyRows({back.data(), kBytes, far, kStride, kRows, kBytes}, store);
    EXPECT_TRUE(back == src);
  }
  ::munmap(base, kSpan);
}

/// Rows that touch both ends of their pages.
TEST_P(CopyRows, NothingOutside) {
  Fenced src(70000), dst(70000);
  for (int64_t rowBytes = 1; rowBytes < 20000; rowBytes += 1 + rowBytes / 20) {
    for (const Store store : {Store::Cached, Store::Streaming}) {
      for (const int64_t rows : {1, 3}) {
        copyRows({dst.begin(), rowBytes + 1, src.end() - rows * rowBytes, rowBytes, rows, rowBytes}, store);
        copyRows({dst.end() - rows * rowBytes, rowBytes, src.begin(), rowBytes + 1, rows, rowBytes}, store);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, CopyRows, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), nameOfParam);

}  // namespace
}  // namespace ulysses::kernels::test
