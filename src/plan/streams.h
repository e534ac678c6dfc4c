// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What goes in chunks from rank to rank. Without hosts that is what the plan lists for each pair. With them, a KV head
// that several ranks of one host need crosses to that host once, and one of them, its deputy, passes it on to the
// others; on the way back, where all ranks that shared a head are on one host, a deputy adds up their partial sums and
// the sum crosses. Where messages are joined, all that a rank has for another host goes to one rank there, its porter,
// which passes on what is for others. Steps and bytes: docs/algorithms.md.
#pragma once
#include <deque>
#include <span>
#include <vector>

#include "plan/crossing.h"
#include "plan/plan.h"

namespace ulysses {

/// Boxes are the plan's own, which must outlive this.
class Streams {
 public:
  struct Send {
    const Box* box;
    bool always = false;   // goes in chunks even where the peer can read this rank's memory
    int32_t relayOf = -1;  // index in Plan::receives(): its rows are passed on from the output once they came
    int32_t transit = -1;  // index in transits(): its rows are made of what others send this rank first
    bool apart = false;    // begins a chunk: what stands before it must not wait for it
  };
  struct Receive {
    const Box* box;
    bool always = false;
    int32_t receive = -1;  // index in Plan::receives(); -1: not for this rank
    int32_t unit = -1;     // of the plan, where this rank adds
    int32_t transit = -1;
    bool apart = false;
  };
  /// What this rank sends on for others. Of several sources: the sum of what ranks of this host, itself among them,
  /// have for a rank of another host. Of one, a rank of another host: as it came, for a rank of this host.
  struct Transit {
    int32_t firstSource = 0, sourceCount = 0;  // see sourcesOf(): ascending ranks
  };
  struct Source {
    int rank;
    int32_t place;  // in receivesFrom(rank); -1 for this rank
  };

  /// `hosts[rank]`: equal numbers share a host; empty: as if all did. `crossing`: Heads or Joined; see chooseCrossing.
  Streams(const Plan& plan, std::span<const int> hosts, Crossing crossing = Crossing::Heads);

  std::span<const Send> sendsTo(int peer) const { return slice(sends_, firstSend_, peer); }
  std::span<const Receive> receivesFrom(int peer) const { return slice(receives_, firstReceive_, peer); }
  std::span<const Source> sourcesOf(const Transit& transit) const {
    return std::span(sources_).subspan(static_cast<size_t>(transit.firstSource),
                                       static_cast<size_t>(transit.sourceCount));
  }
  std::span<const Transit> transits() const { return transits_; }
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
  bool isApart(int a, int b) const { return hosts_[static_cast<size_t>(a)] != hosts_[static_cast<size_t>(b)]; }
  std::vector<int> membersFor(int sequenceRank, int headRank, const Box& box) const;
  int deputyFor(int sequenceRank, int headRank, const Box& box) const;
  bool isPassedOn(int source, int destination, const Box& box) const;
  void addDirect(Lists& lists, int peer);
  void findPorters();
  int porterFor(int source, int destination) const;
  void addJoined(Lists& lists, int peer);
  void addPorterage(Lists& lists, int source);
  void passOn(Lists& lists, int source, int destination);
  void addLater(Lists& lists);
  void addRelays(Lists& lists);
  void addSummands(Lists& lists);
  void sendAlways(Lists& lists, int peer, const Send& send);
  /// Where it stands.
  int32_t receiveAlways(Lists& lists, int peer, const Receive& receive);
  void join(const Lists& lists);

  const Plan& plan_;
  std::vector<int> hosts_;
  std::vector<int> seats_;                // [nRanks] place among the ranks of its host; only where messages are joined
  std::vector<std::vector<int>> onHost_;  // [nRanks] by host number: its ranks, ascending; likewise
  std::deque<Box> others_;                // boxes between other ranks
  std::vector<Send> sends_;
  std::vector<Receive> receives_;
  std::vector<size_t> firstSend_, firstReceive_;  // [nRanks + 1]
  std::vector<Transit> transits_;
  std::vector<Source> sources_;
  std::vector<int32_t> places_;
  std::vector<char> sendsAlways_, receivesAlways_;
  bool passesOn_ = false;
};

}  // namespace ulysses
