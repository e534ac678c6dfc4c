// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernels/simd_targets.h"
// clang-format off: Highway compiles this file once per instruction set, in this order of includes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sum_rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include "hwy/cache_control.h"
#include "kernels/element-inl.h"
#include "kernels/kernels.h"
#include "kernels/walk-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::kernels::HWY_NAMESPACE {

template <class Element, bool kStream>
class SumOp {
 public:
  // The sources are streams enough: with eight, two lanes run at 0.6-0.8, four at 0.3-0.5 of this speed.
  static constexpr int kLanes = 1;
  static constexpr int64_t kAhead = 2048;
  struct Lane {
    int64_t row, offset;
  };
  explicit SumOp(const RowSum& sum) : sum_(sum) {}
  HWY_INLINE Lane lane(int64_t row, int64_t offset) const { return {row, offset}; }
  HWY_INLINE int64_t head(int64_t row) const {
    const int64_t bytes = toNextLine(dst(row, 0));
    return bytes % Element::kBytes == 0 ? bytes : 0;
  }
  /// Not inlined, as run: a call per chunk does not show, and this file's code would grow by a third.
  HWY_NOINLINE void chunk(const Lane& lane, int64_t at) const {
    for (int64_t i = at; i < at + kChunk; i += 4 * kVec) vectors<4>(lane.row, lane.offset + i);
  }
  HWY_NOINLINE void run(int64_t row, int64_t offset, int64_t bytes) const {
    int64_t at = kStream ? std::min(toNextLine(dst(row, offset)), bytes) : 0;
    if (at > 0) edge(row, offset, at);
    for (; at + kLine <= bytes; at += kLine) vectors<kLine / kVec>(row, offset + at);
    if (at < bytes) edge(row, offset + at, bytes - at);
  }
  HWY_INLINE void prefetch(int64_t row, int64_t bytes) const {
    for (size_t index = 0; index < sum_.sources.size(); ++index) {
      const std::byte* from = source(index, row, 0);
      for (int64_t at = 0; at < bytes; at += kLine) hwy::Prefetch(from + at);
    }
  }

 private:
  using Sum = typename Element::Sum;

  HWY_INLINE std::byte* dst(int64_t row, int64_t offset) const { return sum_.dst + row * sum_.dstStride + offset; }
  HWY_INLINE const std::byte* source(size_t index, int64_t row, int64_t offset) const {
    const SourceRows& rows = sum_.sources[index];
    return rows.data + row * rows.stride + offset;
  }

  /// kCount vectors, whose sums stay in registers while the sources go by.
  template <int kCount>
  HWY_INLINE void vectors(int64_t row, int64_t offset) const {
    Sum sums[kCount];
    const std::byte* from = source(0, row, offset);
    for (int i = 0; i < kCount; ++i) sums[i] = Element::load(from + i * kVec);
    for (size_t index = 1; index < sum_.sources.size(); ++index) {
      from = source(index, row, offset);
      for (int i = 0; i < kCount; ++i) sums[i] = Element::add(sums[i], Element::load(from + i * kVec));
    }
    std::byte* to = dst(row, offset);
    for (int i = 0; i < kCount; ++i) storeVec<kStream>(Element::round(sums[i]), to + i * kVec);
  }

  /// Less than a line, by way of a local line so that nothing past either end is touched; same arithmetic, same bits.
  HWY_NOINLINE void edge(int64_t row, int64_t offset, int64_t bytes) const {
    constexpr int kCount = kLine / kVec;
    alignas(kLine) std::byte line[kLine] = {};
    Sum sums[kCount];
    copySmall(line, source(0, row, offset), bytes);
    for (int i = 0; i < kCount; ++i) sums[i] = Element::load(line + i * kVec);
    for (size_t index = 1; index < sum_.sources.size(); ++index) {
      copySmall(line, source(index, row, offset), bytes);
      for (int i = 0; i < kCount; ++i) sums[i] = Element::add(sums[i], Element::load(line + i * kVec));
    }
    for (int i = 0; i < kCount; ++i) storeVec<false>(Element::round(sums[i]), line + i * kVec);
    copySmall(dst(row, offset), line, bytes);
  }

  const RowSum sum_;
};

template <class Element>
void sumElements(const RowSum& sum, Store store) {
  const int64_t rowBytes = sum.elements * Element::kBytes;
  // An element that straddles a line cannot be streamed; such destinations are legal but no one's normal case.
  const bool aligned =
      reinterpret_cast<uintptr_t>(sum.dst) % Element::kBytes == 0 && sum.dstStride % Element::kBytes == 0;
  if (store == Store::Streaming && aligned) {
    walkRows(SumOp<Element, true>(sum), sum.rows, rowBytes);
  } else {
    walkRows(SumOp<Element, false>(sum), sum.rows, rowBytes);
  }
}

void sumDispatch(const RowSum& sum, Store store) {
  switch (sum.type) {
    case DataType::F64:
      return sumElements<PlainElement<double>>(sum, store);
    case DataType::F32:
      return sumElements<PlainElement<float>>(sum, store);
    case DataType::F16:
      return sumElements<Float16Element>(sum, store);
    case DataType::BF16:
      return sumElements<Bfloat16Element>(sum, store);
    default:
      return;  // excluded by isSummable before a plan is made
  }
}

}  // namespace ulysses::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ulysses::kernels {
namespace {

HWY_EXPORT(sumDispatch);

bool isOneLongRow(const RowSum& sum) {
  const int64_t rowBytes = sum.elements * sizeOf(sum.type);
  if (sum.dstStride != rowBytes) return false;
  for (const SourceRows& source : sum.sources) {
    if (source.stride != rowBytes) return false;
  }
  return true;
}

}  // namespace

void sumRows(const RowSum& sum, Store store) noexcept {
  if (sum.rows <= 0 || sum.elements <= 0 || sum.sources.empty()) return;
  if (sum.sources.size() == 1) {
    const SourceRows& only = sum.sources[0];
    const int64_t rowBytes = sum.elements * sizeOf(sum.type);
    return copyRows({sum.dst, sum.dstStride, only.data, only.stride, sum.rows, rowBytes}, store);
  }
  RowSum rows = sum;
  if (isOneLongRow(rows)) {
    rows.elements *= rows.rows;
    rows.rows = 1;
  }
  HWY_DYNAMIC_DISPATCH(sumDispatch)(rows, store);
}

}  // namespace ulysses::kernels
#endif
