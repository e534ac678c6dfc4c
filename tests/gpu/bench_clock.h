// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Times what is enqueued on several streams, by CUDA events.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "gpu/bench_figures.h"

namespace ulysses::test {

/// Enqueues, and returns.
using Work = std::function<void()>;

/// Holds a stream up until it is opened, so that a GPU with nothing to do does not begin while the host is still
/// launching. It opens when it is destroyed, or by itself a second after the stream came to it.
class Gate {
 public:
  explicit Gate(cudaStream_t stream);
  ~Gate() { open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open() noexcept;
  /// Known once what comes behind it has run.
  bool openedItself() const;

 private:
  std::uintptr_t ticket_;
};

/// Milliseconds from before the first to after the last of what is enqueued on all streams. The host's launches are not
/// in it, but when `withLaunches` is or becomes true: not all could be enqueued before the first began, as a call waits
/// for the GPU.
double timed(const std::vector<cudaStream_t>& streams, const Work& enqueue, bool& withLaunches);

/// After some rounds without a clock, in turns, so that all have the same machine: as many as roundsFor says.
Times measure(const std::vector<cudaStream_t>& streams, const std::vector<Work>& works);

}  // namespace ulysses::test
