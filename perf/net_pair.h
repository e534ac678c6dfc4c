// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <array>

#include "net_end.h"

namespace ulysses::perf {

// The two processes, while this one looks on.
class NetPair {
 public:
  explicit NetPair(const NetOptions& options);
  NetPair(const NetPair&) = delete;
  NetPair& operator=(const NetPair&) = delete;
  ~NetPair();  // ends both

  // Does a task; the seconds of process 0. Throws RunError when one of them ended.
  double run(const NetTask& task);

 private:
  void start(const NetOptions& options, int index, int wire);

  std::array<pid_t, 2> children_{-1, -1};
  std::array<int, 2> tasks_{-1, -1};
};

}  // namespace ulysses::perf
