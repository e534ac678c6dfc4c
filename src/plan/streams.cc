// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/streams.h"

#include <algorithm>

namespace ulysses {

Streams::Streams(const Plan& plan, std::span<const int> hosts) : plan_(plan) {
  const auto nRanks = static_cast<size_t>(plan.nRanks());
  sendsAlways_.assign(nRanks, 0);
  receivesAlways_.assign(nRanks, 0);
  places_.assign(plan.receives().size(), -1);
  firstSend_.assign(1, 0);
  firstReceive_.assign(1, 0);
  if (hosts.empty() || plan.distribution().heads.firstSharedKvHead() < 0) {
    copyPlan();
    return;
  }
  hosts_.assign(hosts.begin(), hosts.end());
  Lists lists{std::vector<std::vector<Send>>(nRanks), std::vector<std::vector<Receive>>(nRanks)};
  for (int peer = 0; peer < plan.nRanks(); ++peer) addDirect(lists, peer);
  if (plan.operation() == Operation::ScatterHeads)
    addRelays(lists);
  else
    addSummands(lists);
  join(lists);
}

void Streams::copyPlan() {
  receives_.reserve(plan_.receives().size());
  for (int peer = 0; peer < plan_.nRanks(); ++peer) {
    for (const Box& box : plan_.sendsTo(peer)) sends_.push_back({.box = &box});
    firstSend_.push_back(sends_.size());
    const auto boxes = plan_.receivesFrom(peer);
    for (size_t i = 0; i < boxes.size(); ++i) {
      const auto receive = static_cast<int32_t>(receives_.size());
      places_[static_cast<size_t>(receive)] = static_cast<int32_t>(i);
      receives_.push_back({.box = &boxes[i].box, .receive = receive, .unit = boxes[i].unit});
    }
    firstReceive_.push_back(receives_.size());
  }
}

void Streams::join(const Lists& lists) {
  for (const auto& list : lists.sends) {
    sends_.insert(sends_.end(), list.begin(), list.end());
    firstSend_.push_back(sends_.size());
  }
  for (const auto& list : lists.receives) {
    receives_.insert(receives_.end(), list.begin(), list.end());
    firstReceive_.push_back(receives_.size());
  }
}

/// Which ranks, ascending, share what they exchange with `sequenceRank` of this box's KV head; none where each
/// exchanges for itself. On the way to the heads: those of the head rank's host that hold this head and no other, as
/// passed on are whole boxes, which are of all heads of a rank. Back: all that hold it, if they are on one host.
std::vector<int> Streams::membersFor(int sequenceRank, int headRank, const Box& box) const {
  const TensorSpec& tensor = plan_.tensors()[static_cast<size_t>(box.tensor)];
  const bool isBack = plan_.operation() == Operation::GatherHeads;
  const auto isApart = [&](int a, int b) { return hosts_[static_cast<size_t>(a)] != hosts_[static_cast<size_t>(b)]; };
  if (tensor.kind != TensorKind::Kv || !isApart(sequenceRank, headRank) || (isBack && !tensor.sum)) return {};
  const HeadSplit& heads = plan_.distribution().heads;
  std::vector<int> members;
  for (auto rank = static_cast<int>(heads.firstHolder(box.seqGroup)); rank < plan_.nRanks(); ++rank) {
    const Range& range = heads.kv[static_cast<size_t>(rank)];
    if (range.count == 0) continue;
    if (range.begin > box.seqGroup) break;
    if (isBack && isApart(rank, headRank)) return {};
    if (isBack || (range.count == 1 && !isApart(rank, headRank))) members.push_back(rank);
  }
  if (members.size() < 2 || std::ranges::find(members, headRank) == members.end()) return {};
  return members;
}

/// Which of them stands for all; -1: there are none. They take turns by sequence rank, so that all of them work.
int Streams::deputyFor(int sequenceRank, int headRank, const Box& box) const {
  const std::vector<int> members = membersFor(sequenceRank, headRank, box);
  return members.empty() ? -1 : members[static_cast<size_t>(sequenceRank) % members.size()];
}

void Streams::addDirect(Lists& lists, int peer) {
  const bool isBack = plan_.operation() == Operation::GatherHeads;
  const int self = plan_.rank();
  const auto p = static_cast<size_t>(peer);
  for (const Box& box : plan_.sendsTo(peer)) {
    const int deputy = isBack ? deputyFor(peer, self, box) : deputyFor(self, peer, box);
    if (deputy >= 0 && deputy != (isBack ? self : peer)) continue;
    Send send{.box = &box};
    if (isBack && deputy == self) {
      send.hostSum = static_cast<int32_t>(hostSums_.size());
      hostSums_.push_back({});
    }
    lists.sends[p].push_back(send);
  }
  const auto boxes = plan_.receivesFrom(peer);
  for (size_t i = 0; i < boxes.size(); ++i) {
    const int deputy = isBack ? deputyFor(self, peer, boxes[i].box) : deputyFor(peer, self, boxes[i].box);
    if (deputy >= 0 && deputy != (isBack ? peer : self)) continue;
    const auto receive = static_cast<int32_t>(plan_.firstReceive(peer) + static_cast<int64_t>(i));
    places_[static_cast<size_t>(receive)] = static_cast<int32_t>(lists.receives[p].size());
    lists.receives[p].push_back({.box = &boxes[i].box, .receive = receive, .unit = deputy >= 0 ? -1 : boxes[i].unit});
  }
}

/// Behind what the deputy has of its own, by the rank it is from: the others' shares of what came for all.
void Streams::addRelays(Lists& lists) {
  const int self = plan_.rank();
  for (int source = 0; source < plan_.nRanks(); ++source) {
    const auto boxes = plan_.receivesFrom(source);
    for (size_t i = 0; i < boxes.size(); ++i) {
      const Box* const box = &boxes[i].box;
      const auto receive = static_cast<int32_t>(plan_.firstReceive(source) + static_cast<int64_t>(i));
      const int deputy = deputyFor(source, self, *box);
      if (deputy < 0) continue;
      if (deputy == self) {
        for (const int peer : membersFor(source, self, *box))
          if (peer != self) sendAlways(lists, peer, {.box = box, .always = true, .relayOf = receive});
        continue;
      }
      places_[static_cast<size_t>(receive)] =
          receiveAlways(lists, deputy, {.box = box, .always = true, .receive = receive});
    }
  }
}

/// Behind what goes to the deputy for itself, by the rank they are for: the summands that it adds.
void Streams::addSummands(Lists& lists) {
  const int self = plan_.rank();
  int32_t next = 0;  // host sums were numbered by peer, too
  for (int peer = 0; peer < plan_.nRanks(); ++peer)
    for (const Box& box : plan_.sendsTo(peer)) {
      const int deputy = deputyFor(peer, self, box);
      if (deputy < 0) continue;
      if (deputy != self) {
        sendAlways(lists, deputy, {.box = &box, .always = true});
        continue;
      }
      HostSum& sum = hostSums_[static_cast<size_t>(next)];
      sum.firstSource = static_cast<int32_t>(sources_.size());
      for (const int rank : membersFor(peer, self, box)) {
        const bool isOwn = rank == self;
        sources_.push_back(
            {rank, isOwn ? -1 : receiveAlways(lists, rank, {.box = &box, .always = true, .hostSum = next})});
      }
      sum.sourceCount = static_cast<int32_t>(sources_.size()) - sum.firstSource;
      ++next;
    }
}

void Streams::sendAlways(Lists& lists, int peer, const Send& send) {
  lists.sends[static_cast<size_t>(peer)].push_back(send);
  sendsAlways_[static_cast<size_t>(peer)] = 1;
  passesOn_ = true;
}

int32_t Streams::receiveAlways(Lists& lists, int peer, const Receive& receive) {
  auto& from = lists.receives[static_cast<size_t>(peer)];
  from.push_back(receive);
  receivesAlways_[static_cast<size_t>(peer)] = 1;
  passesOn_ = true;
  return static_cast<int32_t>(from.size()) - 1;
}

}  // namespace ulysses
