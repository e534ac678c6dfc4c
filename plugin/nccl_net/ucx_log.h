// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses::nccl {

/// Where UCX's own messages go: those that come up in a call of the plugin, or in its thread, to NCCL's log, as INFO;
/// others, of the program's own use of UCX, where they went before. At its first call.
void takeUcxLog();

/// Marks a stretch of code as the plugin's.
class InPlugin {
 public:
  InPlugin() noexcept : mine_(depth_) { ++mine_; }
  ~InPlugin() { --mine_; }
  InPlugin(const InPlugin&) = delete;
  InPlugin& operator=(const InPlugin&) = delete;
  static bool now() noexcept { return depth_ > 0; }

 private:
  static constinit thread_local int depth_;
  int& mine_;  // looked up once: each look may be a call
};

}  // namespace ulysses::nccl
