// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernels/simd_targets.h"
// clang-format off: Highway compiles this file once per instruction set, in this order of includes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/copy_rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include "hwy/cache_control.h"
#include "kernels/kernels.h"
#include "kernels/walk-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::kernels::HWY_NAMESPACE {

/// In ascending order, which loads ahead of stores of unknown aliasing also force on the compiler: reordered within a
/// chunk, the same moves run a quarter slower inside the cache.
template <bool kStream>
HWY_INLINE void moveLines(std::byte* dst, const std::byte* src, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end; at += kVec) storeVec<kStream>(loadVec(src + at), dst + at);
}

/// One run of any bytes at any alignment.
template <bool kStream>
HWY_INLINE void moveRun(std::byte* dst, const std::byte* src, int64_t bytes) {
  const int64_t begin = kStream ? std::min(toNextLine(dst), bytes) : 0;
  const int64_t end = begin + (bytes - begin) / kLine * kLine;
  copySmall(dst, src, begin);
  moveLines<kStream>(dst, src, begin, end);
  copySmall(dst + end, src + end, bytes - end);
}

template <bool kStream>
class CopyOp {
 public:
  // Eight streams fill the memory pipe with non-temporal stores; ordinary stores double the traffic per lane.
  static constexpr int kLanes = kStream ? 8 : 4;
  // How far ahead of its use a short row is fetched; measured, flat around these.
  static constexpr int64_t kAhead = kStream ? 8192 : 2048;
  struct Lane {
    std::byte* dst;
    const std::byte* src;
  };

  explicit CopyOp(const RowCopy& copy) : copy_(copy) {}
  HWY_INLINE Lane lane(int64_t row, int64_t offset) const {
    return {copy_.dst + row * copy_.dstStride + offset, copy_.src + row * copy_.srcStride + offset};
  }
  HWY_INLINE int64_t head(int64_t row) const { return toNextLine(copy_.dst + row * copy_.dstStride); }

  HWY_INLINE void chunk(const Lane& lane, int64_t at) const { moveLines<kStream>(lane.dst, lane.src, at, at + kChunk); }
  HWY_INLINE void run(int64_t row, int64_t offset, int64_t bytes) const {
    const Lane from = lane(row, offset);
    moveRun<kStream>(from.dst, from.src, bytes);
  }
  HWY_INLINE void prefetch(int64_t row, int64_t bytes) const {
    const std::byte* from = lane(row, 0).src;
    for (int64_t at = 0; at < bytes; at += kLine) hwy::Prefetch(from + at);
  }

 private:
  const RowCopy copy_;
};

void copyCached(const RowCopy& copy) { walkRows(CopyOp<false>(copy), copy.rows, copy.rowBytes); }
void copyStreaming(const RowCopy& copy) { walkRows(CopyOp<true>(copy), copy.rows, copy.rowBytes); }

template <bool kStream>
void mergePieces(const RowMerge& merge) {
  for (int64_t row = 0; row < merge.rows; ++row)
    for (const RowPiece& piece : merge.pieces)
      moveRun<kStream>(piece.dst + row * merge.dstStride, piece.src + row * piece.srcStride, piece.bytes);
}
void mergeCached(const RowMerge& merge) { mergePieces<false>(merge); }
void mergeStreaming(const RowMerge& merge) { mergePieces<true>(merge); }

}  // namespace ulysses::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ulysses::kernels {

HWY_EXPORT(copyCached);
HWY_EXPORT(copyStreaming);
HWY_EXPORT(mergeCached);
HWY_EXPORT(mergeStreaming);

void copyRows(const RowCopy& copy, Store store) noexcept {
  if (copy.rows <= 0 || copy.rowBytes <= 0) return;
  RowCopy rows = copy;
  if (rows.dstStride == rows.rowBytes && rows.srcStride == rows.rowBytes) {
    rows.rowBytes *= rows.rows;
    rows.rows = 1;
  }
  if (store == Store::Streaming) {
    HWY_DYNAMIC_DISPATCH(copyStreaming)(rows);
  } else {
    HWY_DYNAMIC_DISPATCH(copyCached)(rows);
  }
}

void mergeRows(const RowMerge& merge, Store store) noexcept {
  if (store == Store::Streaming) {
    HWY_DYNAMIC_DISPATCH(mergeStreaming)(merge);
  } else {
    HWY_DYNAMIC_DISPATCH(mergeCached)(merge);
  }
}

}  // namespace ulysses::kernels
#endif
