// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstdint>

namespace ulysses {

/// How the members of a new communicator agree whether it came to be: one word of shared memory for each group, in
/// which the last member to confirm commits, or the first to give up aborts, whichever is earlier. No member holds
/// anything that another one waits for, so the death of any of them, at any point, leaves it readable and decidable.
class Ballot {
 public:
  enum class State : uint8_t { Open, Committed, Aborted };

  explicit Ballot(std::atomic<uint64_t>& word) : word_(word) {}

  /// One member's yes to the decision with that stamp; each member says it once.
  State confirm(uint64_t stamp, int members) const noexcept {
    return change(stamp, [=](uint64_t count) {
      return count + 1 >= static_cast<uint64_t>(members) ? pack(stamp, State::Committed, count + 1)
                                                         : pack(stamp, State::Open, count + 1);
    });
  }
  /// Aborts unless all have confirmed.
  State giveUp(uint64_t stamp) const noexcept {
    return change(stamp, [=](uint64_t count) { return pack(stamp, State::Aborted, count); });
  }
  /// A newer stamp in the word means that whoever wrote it had given up this one.
  State look(uint64_t stamp) const noexcept {
    const uint64_t word = word_.load(std::memory_order_acquire);
    if (stampOf(word) < stamp) return State::Open;
    return stampOf(word) == stamp ? stateOf(word) : State::Aborted;
  }

 private:
  static constexpr int kCountBits = 18, kStateBits = 2;  // more than the most ranks there can be
  static uint64_t pack(uint64_t stamp, State state, uint64_t count) {
    return stamp << (kStateBits + kCountBits) | static_cast<uint64_t>(state) << kCountBits | count;
  }
  static uint64_t stampOf(uint64_t word) { return word >> (kStateBits + kCountBits); }
  static State stateOf(uint64_t word) { return static_cast<State>(word >> kCountBits & 3); }
  static uint64_t countOf(uint64_t word) { return word & ((uint64_t{1} << kCountBits) - 1); }

  template <typename Next>
  State change(uint64_t stamp, Next next) const noexcept {
    uint64_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      if (stampOf(word) > stamp) return State::Aborted;
      const bool fresh = stampOf(word) < stamp;
      if (!fresh && stateOf(word) != State::Open) return stateOf(word);
      const uint64_t wanted = next(fresh ? 0 : countOf(word));
      if (word_.compare_exchange_weak(word, wanted, std::memory_order_acq_rel, std::memory_order_acquire))
        return stateOf(wanted);
    }
  }

  std::atomic<uint64_t>& word_;
};

}  // namespace ulysses
