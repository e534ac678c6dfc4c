// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What goes in chunks from rank to rank. Without hosts that is what the plan lists for each pair. With them, a KV head
// that several ranks of one host need crosses to that host once, and one of them, its deputy, passes it on to the
// others; on the way back, where all ranks that shared a head are on one host, a deputy adds up their partial sums and
// the sum crosses. Steps and bytes: docs/algorithms.md.
#pragma once
#include <span>
#include <vector>

#include "plan/plan.h"

namespace ulysses {

/// Boxes are the plan's own, which must outlive this.
class Streams {
 public:
  struct Send {
    const Box* box;
    bool always = false;   // goes in chunks even where the peer can read this rank's memory
    int32_t relayOf = -1;  // index in Plan::receives(): its rows are passed on from the output once they came
    int32_t hostSum = -1;  // index in hostSums(): its rows are the sum over this host's ranks
  };
  struct Receive {
    const Box* box;
    bool always = false;
    int32_t receive = -1;  // index in Plan::receives(); -1: a summand of a host sum
    int32_t unit = -1;     // of the plan, where this rank adds
    int32_t hostSum = -1;
  };
  /// What this rank adds up for a rank of another host: rows of its own and of others of this host.
  struct HostSum {
    int32_t firstSource = 0, sourceCount = 0;  // see sourcesOf(): ascending ranks
  };
  struct Source {
    int rank;
    int32_t place;  // in receivesFrom(rank); -1 for this rank
  };

  /// `hosts[rank]`: equal numbers share a host; empty: as if all did.
  Streams(const Plan& plan, std::span<const int> hosts);

  std::span<const Send> sendsTo(int peer) const { return slice(sends_, firstSend_, peer); }
  std::span<const Receive> receivesFrom(int peer) const { return slice(receives_, firstReceive_, peer); }
  std::span<const Source> sourcesOf(const HostSum& sum) const {
    return std::span(sources_).subspan(static_cast<size_t>(sum.firstSource), static_cast<size_t>(sum.sourceCount));
  }
  std::span<const HostSum> hostSums() const { return hostSums_; }
  /// Where a receive of the plan stands in the stream it comes in.
  int32_t placeOf(int32_t receive) const { return places_[static_cast<size_t>(receive)]; }
  /// Whether anything goes in chunks always.
  bool passesOn() const { return passesOn_; }
  bool sendsAlways(int peer) const { return sendsAlways_[static_cast<size_t>(peer)]; }
  bool receivesAlways(int peer) const { return receivesAlways_[static_cast<size_t>(peer)]; }

 private:
  /// While they grow at several places.
  struct Lists {
    std::vector<std::vector<Send>> sends;        // [nRanks]
    std::vector<std::vector<Receive>> receives;  // [nRanks]
  };
  template <typename T>
  static std::span<const T> slice(const std::vector<T>& all, const std::vector<size_t>& first, int peer) {
    const auto p = static_cast<size_t>(peer);
    return std::span(all).subspan(first[p], first[p + 1] - first[p]);
  }
  void copyPlan();
  std::vector<int> membersFor(int sequenceRank, int headRank, const Box& box) const;
  int deputyFor(int sequenceRank, int headRank, const Box& box) const;
  void addDirect(Lists& lists, int peer);
  void addRelays(Lists& lists);
  void addSummands(Lists& lists);
  void sendAlways(Lists& lists, int peer, const Send& send);
  /// Where it stands.
  int32_t receiveAlways(Lists& lists, int peer, const Receive& receive);
  void join(const Lists& lists);

  const Plan& plan_;
  std::vector<int> hosts_;
  std::vector<Send> sends_;
  std::vector<Receive> receives_;
  std::vector<size_t> firstSend_, firstReceive_;  // [nRanks + 1]
  std::vector<HostSum> hostSums_;
  std::vector<Source> sources_;
  std::vector<int32_t> places_;
  std::vector<char> sendsAlways_, receivesAlways_;
  bool passesOn_ = false;
};

}  // namespace ulysses
