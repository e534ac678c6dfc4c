// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/copy.h"

#include <cstdlib>

namespace ulysses {
namespace {

struct Loop {
  int64_t n, src, dst;
};

/// A few loops, joined where both ends allow it.
class Nest {
 public:
  Nest(const View& src, const View& dst) : runBytes_(src.runBytes) {
    for (size_t d = 0; d < View::kDims; ++d)
      if (src.n[d] != 1) loops_[size_++] = {src.n[d], src.stride[d], dst.stride[d]};
    sortByDestination();
    while (absorbIntoRun() || joinNeighbours()) {
    }
  }

  void store(Copy& copy) const {
    copy.runBytes = runBytes_;
    for (size_t i = 0; i < size_; ++i) {
      const size_t to = View::kDims - size_ + i;
      copy.n[to] = loops_[i].n;
      copy.srcStride[to] = loops_[i].src;
      copy.dstStride[to] = loops_[i].dst;
    }
  }

 private:
  /// Largest destination stride outermost. Insertion sort: at most four, and stable for equal strides.
  void sortByDestination() {
    for (size_t i = 1; i < size_; ++i)
      for (size_t j = i; j > 0 && std::abs(loops_[j].dst) > std::abs(loops_[j - 1].dst); --j)
        std::swap(loops_[j], loops_[j - 1]);
  }
  bool absorbIntoRun() {
    if (size_ == 0 || loops_[size_ - 1].src != runBytes_ || loops_[size_ - 1].dst != runBytes_) return false;
    runBytes_ *= loops_[--size_].n;
    return true;
  }
  bool joinNeighbours() {
    for (size_t i = 0; i + 1 < size_; ++i) {
      Loop &outer = loops_[i], &inner = loops_[i + 1];
      if (outer.src != inner.src * inner.n || outer.dst != inner.dst * inner.n) continue;
      inner.n *= outer.n;
      for (size_t j = i; j + 1 < size_; ++j) loops_[j] = loops_[j + 1];
      --size_;
      return true;
    }
    return false;
  }

  std::array<Loop, View::kDims> loops_;
  size_t size_ = 0;
  int64_t runBytes_;
};

}  // namespace

Copy makeCopy(int32_t tensor, const View& src, const View& dst) {
  Copy copy{.tensor = tensor, .srcOffset = src.offset, .dstOffset = dst.offset};
  Nest(src, dst).store(copy);
  return copy;
}

}  // namespace ulysses
