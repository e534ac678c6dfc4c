// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "kernel_fixture.h"
#include "kernels/reference.h"

namespace ulysses::kernels::test {
namespace {

class MergeRows : public EveryTarget {
 protected:
  /// Pieces of any lengths side by side with gaps, none included, from sources of any alignment and stride.
  void checkRandom(int64_t longest) {
    constexpr int64_t kMargin = 100;
    const int64_t rows = pick(0, 9);
    std::vector<int64_t> bytes, at, strides;
    std::vector<Memory> sources;
    int64_t rowBytes = pick(0, 70);
    for (int64_t i = pick(0, 6); i > 0; --i) {
      bytes.push_back(pick(0, longest));
      at.push_back(rowBytes);
      rowBytes += bytes.back() + pick(0, 1) * pick(0, 90);
      strides.push_back(pick(0, 5) == 0 ? 0 : bytes.back() + pick(0, 80));
      sources.push_back(randomBytes(std::max<int64_t>(rows, 1) * strides.back() + bytes.back() + 64));
    }
    const Memory before = randomBytes(rows * rowBytes + 2 * kMargin);
    for (const Store store : {Store::Cached, Store::Streaming}) {
      Memory expected = before, actual = before;
      std::vector<RowPiece> pieces;
      const auto mergeInto = [&](Memory& memory) -> RowMerge {
        pieces.clear();
        for (size_t i = 0; i < bytes.size(); ++i)
          pieces.push_back({memory.data() + kMargin + at[i], sources[i].data() + i % 64, strides[i], bytes[i]});
        return {pieces, rowBytes, rows};
      };
      mergeRowsReference(mergeInto(expected));
      mergeRows(mergeInto(actual), store);
      fence();
      ASSERT_TRUE(expected == actual) << rows << " rows of " << rowBytes << " bytes, " << bytes.size() << " pieces";
    }
  }
};

TEST_P(MergeRows, RandomPieces) {
  for (int i = 0; i < 500; ++i) checkRandom(i % 3 == 0 ? 5000 : 300);
}

TEST_P(MergeRows, NothingToDo) {
  mergeRows({{}, 64, 1000}, Store::Streaming);
  const RowPiece piece{nullptr, nullptr, 0, 64};
  mergeRows({std::span(&piece, 1), 64, 0}, Store::Cached);
}

INSTANTIATE_TEST_SUITE_P(Simd, MergeRows, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), nameOfParam);

}  // namespace
}  // namespace ulysses::kernels::test
