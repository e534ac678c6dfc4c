// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <vector>

#include "ranks.h"

namespace ulysses::test {

/// What a rank announces as operation `sequence`, made up from both so that a reader can tell what it must find.
class MadeUpCall {
 public:
  MadeUpCall(int rank, int nRanks, std::uint64_t sequence) : sequence_(sequence), recordId_(1 + sequence / 12) {
    const std::int64_t seed = static_cast<std::int64_t>(recordId_) * 100 + rank;
    record_.sequence = seed;
    record_.nTensors = static_cast<std::int32_t>(recordId_ % kMaxTensors) + 1;
    record_.tensors[record_.nTensors - 1].headDim = seed;
    record_.poison = recordId_ % 3 == 0;
    for (int i = 0; i < nRanks; ++i) {
      tokens_.push_back(seed * 10 + i);
      queryHeads_.push_back(seed * 20 + i);
    }
    for (std::uint64_t t = 0; t < static_cast<std::uint64_t>(record_.nTensors); ++t)
      refs_.push_back({.segment = 0, .offset = sequence * 8 + t, .address = sequence * 80 + t});
  }
  Posting posting() const {
    return {.sequence = sequence_,
            .callHash = hash(),
            .strideHash = ~hash(),
            .recordId = recordId_,
            .record = &record_,
            .tokens = tokens_,
            .queryHeads = queryHeads_,
            .tensors = refs_,
            .seals = {}};
  }
  /// Checks a peer's announcement of this call.
  void expectAnnounced(const Path& path, int peer, const Announcement& got, bool withRefs) const {
    EXPECT_EQ(got.callHash, hash());
    EXPECT_EQ(got.strideHash, ~hash());
    EXPECT_EQ(got.poisoned, record_.poison != 0);
    EXPECT_EQ(std::memcmp(&path.record(peer, sequence_), &record_, sizeof record_), 0);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      EXPECT_EQ(path.tokensOf(peer, sequence_, static_cast<int>(i)), tokens_[i]);
      EXPECT_EQ(path.queryHeadsOf(peer, sequence_, static_cast<int>(i)), queryHeads_[i]);
    }
    for (std::size_t t = 0; withRefs && t < refs_.size(); ++t) {
      EXPECT_EQ(got.tensors[t].offset, refs_[t].offset);
      EXPECT_EQ(got.tensors[t].address, refs_[t].address);
    }
  }

 private:
  std::uint64_t hash() const { return sequence_ * 1000 + static_cast<std::uint64_t>(record_.sequence % 100); }

  std::uint64_t sequence_, recordId_;
  CallRecord record_;
  std::vector<std::int64_t> tokens_, queryHeads_;
  std::vector<TensorRef> refs_;
};

/// Announces operation `sequence` with these tensors only.
inline Result publishRefs(Path& path, std::uint64_t sequence, std::span<const TensorRef> refs) {
  static const CallRecord plain;
  return path.publish({.sequence = sequence,
                       .recordId = 1,
                       .record = &plain,
                       .tokens = {},
                       .queryHeads = {},
                       .tensors = refs,
                       .seals = {}},
                      Deadline::inMs(kPatienceMs));
}

/// The peer's announcement; fails the test and is empty when it does not come.
inline std::optional<Announcement> awaitAnnouncement(Path& path, int peer, std::uint64_t sequence) {
  std::optional<Announcement> got;
  EXPECT_TRUE(waitUntil([&] {
    got = path.announcement(peer, sequence);
    return got.has_value();
  })) << "no announcement of operation "
      << sequence << " by rank " << peer;
  return got;
}

/// Finishes an operation and waits until every peer has.
inline bool finishTogether(const RankContext& context, std::uint64_t sequence) {
  context.path->finish(sequence);
  for (int peer = 0; peer < context.nRanks; ++peer)
    if (peer != context.rank && !waitUntil([&] { return context.path->finished(peer, sequence); })) return false;
  return true;
}

}  // namespace ulysses::test
