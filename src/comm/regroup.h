// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/bootstrap/rendezvous.h"
#include "comm/joint_council.h"
#include "exchange/exchange.h"

namespace ulysses {

/// How the ranks of a communicator agree on new ones. Each proposes; the leader, which is the lowest rank that lives
/// and is not left out, waits for all that live, makes the groups and tells every rank its place; the first rank of
/// each group opens its rendezvous. When the leader dies the next one takes over. Steps and proof of agreement:
/// docs/algorithms.md.
class Regroup {
 public:
  struct Wish {
    int color = 0, key = 0;          // ranks of one color go together, ordered by key, then by old rank
    std::vector<int> excluded = {};  // ranks that are left out although they may live
    bool toleratesLosses = false;    // whether to go on without ranks that were lost
  };
  struct Place {
    int rank = -1, nRanks = 0;  // rank -1: in no group
    int head = -1;              // old rank of the group's first member
    UniqueId id;
  };

  /// What the old communicator is to the new ones.
  struct Parent {
    const Routes& routes;
    const Identity& identity;
    const Secret& secret;              // that its ranks share
    const std::string& listenAddress;  // where ranks of the new ones reach this one
  };

  /// `sequence`: which split or shrink of this communicator it is, from 1 on.
  Regroup(Parent parent, Wish wish, uint64_t sequence, Deadline deadline);
  /// What this rank told the others has left it then, or they are gone.
  ~Regroup();
  Regroup(const Regroup&) = delete;
  Regroup& operator=(const Regroup&) = delete;

  /// This rank's place by the next decision. Throws Timeout naming who did not call, RemoteLost, Mismatch.
  Place next();
  /// While joining: throws RemoteLost when a rank was lost since next(), or another member gave up, so that nobody
  /// waits for it.
  void watch(const Place& place);
  /// After joining: whether all members have. When false, none of them has the communicator. `lost` says which of the
  /// new ones was lost, or nothing. Throws Timeout.
  bool confirm(const Place& place, const std::function<std::optional<std::string>()>& lost);
  /// After joining failed here: tells the others, so that none of them has it either.
  void giveUp(const Place& place) {
    council_.giveUp(place.head, stamp_);
    serving_.stop();
  }
  /// Then: whether a rank was lost meanwhile, so that next() will give another place.
  bool mayRetry();

 private:
  bool isOut(int rank) { return isExcluded(rank) || isLost(rank); }
  bool isExcluded(int rank) const;
  bool isLost(int rank);
  std::string lossText();
  std::ptrdiff_t countLost();
  bool isNewsOfLoss();
  int leader();
  std::vector<int> absent();
  void awaitProposals();
  std::optional<Assignment> awaitDecision(int from);
  std::optional<UniqueId> awaitId(int head);
  UniqueId offerId();
  std::optional<Assignment> assignmentBy(int by);
  std::vector<Assignment> decide();
  std::vector<Assignment> refuse(Result result, const std::string& text) const;
  UniqueId veiled(UniqueId id, int head) const;
  bool idle(Waiter& waiter, const std::string& waitingFor);
  void service();
  void sleep();

  Parent parent_;
  JointCouncil council_;
  Wish wish_;
  uint64_t sequence_, stamp_;
  Deadline deadline_;
  Serving serving_;  // of the group that this rank heads
  int rank_, nRanks_;
  std::vector<std::string> lost_;  // by rank: why, or ""
  std::ptrdiff_t known_ = 0;       // how many of them next() took into account
};

}  // namespace ulysses
