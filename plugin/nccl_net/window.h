// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How far a sender may be ahead of its receiver. Messages that come before they are asked for are kept in the
// receiver's memory; without a bound a fast sender would fill it. The bound is for each tag: local ranks of the sender
// share a connection, and none may be held up by another one's receiver.
#pragma once
#include <cstdint>
#include <vector>

namespace ulysses::nccl {

struct Amount {
  uint64_t messages = 0;
  uint64_t bytes = 0;
};

/// Amounts by tag. There are few tags: one for each local rank.
class AmountsByTag {
 public:
  Amount& of(int tag) {
    for (Entry& entry : entries_)
      if (entry.tag == tag) return entry.amount;
    return entries_.emplace_back(Entry{tag, {}}).amount;
  }

 private:
  struct Entry {
    int tag;
    Amount amount;
  };
  std::vector<Entry> entries_;
};

inline constexpr Amount kWindow{.messages = 1024, .bytes = uint64_t{32} << 20};

/// The sender's side: what went out and was not reported as taken.
inline bool mayGo(const Amount& ahead, uint64_t bytes) noexcept {
  // Less than a quarter may never be reported (below), so a message of any size goes then.
  return ahead.messages < kWindow.messages && (ahead.bytes + bytes <= kWindow.bytes || ahead.bytes < kWindow.bytes / 4);
}

/// The receiver's side: whether what was taken is worth a report.
inline bool isWorthReporting(const Amount& taken) noexcept {
  // A report is a call into the kernel, which receivers of small messages pay for; half the window hides its way.
  return taken.messages >= kWindow.messages / 2 || taken.bytes >= kWindow.bytes / 4;
}

}  // namespace ulysses::nccl
