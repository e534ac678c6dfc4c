// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "net_options.h"

namespace ulysses::perf {

// What both processes do at a time.
struct NetTask {
  enum class Kind : int32_t { Bandwidth, Latency, End } kind = Kind::End;
  int32_t depth = 1;
  int64_t bytes = 0, count = 0;
};

// One of the two processes: opens the plugin, connects both ways to the other over the wire (a seqpacket socket that
// carries the handles), and does the tasks that come from `tasks`; answers each with its seconds, a double.
class NetEnd {
 public:
  NetEnd(const NetOptions& options, int index, int wire, int tasks);
  void serve();

 private:
  double bandwidth(const NetTask& task);
  double latency(const NetTask& task);
  void meet() const;

  struct Plugin;
  Plugin& plugin_;
  int index_, wire_, tasks_;
  void *send_ = nullptr, *receive_ = nullptr;
  std::vector<char> buffer_;
};

}  // namespace ulysses::perf
