// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Times the kernels beside memcpy per row. Compare medians of --benchmark_repetitions, interleaved by
// --benchmark_enable_random_interleaving=true: neighbours disturb single runs.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "kernels/kernels.h"

namespace ulysses::kernels::test {
namespace {

/// Page-aligned and filled, in huge pages where allowed, as tensors are.
class Buffer {
 public:
  explicit Buffer(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    void* at = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(at);
    std::memset(data_, 1, bytes_);
  }
  Buffer(Buffer&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() {
    if (data_) ::munmap(data_, bytes_);
  }
  std::byte* data() const { return data_; }

 private:
  size_t bytes_;
  std::byte* data_;
};

void memcpyRows(const RowCopy& copy) {
  for (int64_t row = 0; row < copy.rows; ++row) {
    std::memcpy(copy.dst + row * copy.dstStride, copy.src + row * copy.srcStride, static_cast<size_t>(copy.rowBytes));
  }
}

/// Gathers rows of every second rowBytes into contiguous memory: what one of two ranks pulls. Argument 0: row bytes,
/// 1: all bytes, 2: 0 Cached, 1 Streaming, 2 memcpy per row. A row as long as everything is one contiguous copy.
void copyBench(benchmark::State& state) {
  const int64_t rowBytes = state.range(0), bytes = state.range(1);
  Buffer src(2 * bytes), dst(bytes);
  const RowCopy copy{dst.data(), rowBytes, src.data(), 2 * rowBytes, bytes / rowBytes, rowBytes};
  for (auto _ : state) {
    if (state.range(2) == 2) {
      memcpyRows(copy);
    } else {
      copyRows(copy, state.range(2) ? Store::Streaming : Store::Cached);
    }
    fence();
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  constexpr const char* kNames[] = {"cached", "streaming", "memcpy"};
  state.SetLabel(kNames[state.range(2)]);
}
BENCHMARK(copyBench)
    ->ArgNames({"row", "bytes", "how"})
    ->ArgsProduct({{128, 512, 1000, 8192, 65536, 32 << 20}, {32 << 20}, {0, 1, 2}})
    ->ArgsProduct({{128, 512, 1024, 8192}, {256 << 10}, {0, 1, 2}});

/// Argument 0: sources, 1: data type, 2: bytes of the destination, 3: Store. Reports bytes read and written.
void sumBench(benchmark::State& state) {
  const int64_t sources = state.range(0), bytes = state.range(2);
  const auto type = static_cast<DataType>(state.range(1));
  std::vector<Buffer> memory;
  std::vector<SourceRows> rows;
  for (int64_t i = 0; i < sources; ++i) {
    memory.emplace_back(bytes);
    rows.push_back({memory.back().data(), 8192});
  }
  Buffer dst(bytes);
  const RowSum sum{dst.data(), 8192, rows, bytes / 8192, 8192 / sizeOf(type), type};
  for (auto _ : state) {
    sumRows(sum, static_cast<Store>(state.range(3)));
    fence();
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * bytes * (sources + 1));
  state.SetLabel(nameOf(type));
}
BENCHMARK(sumBench)
    ->ArgNames({"sources", "type", "bytes", "store"})
    ->ArgsProduct({{2, 8}, {0, 1, 2, 3}, {16 << 20}, {0, 1}})
    ->ArgsProduct({{2, 8}, {0, 1, 2, 3}, {64 << 10}, {0}});

}  // namespace
}  // namespace ulysses::kernels::test
