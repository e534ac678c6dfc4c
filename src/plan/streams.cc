// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/streams.h"

#include <algorithm>

namespace ulysses {

Streams::Streams(const Plan& plan, std::span<const int> hosts, Crossing crossing) : plan_(plan) {
  const auto nRanks = static_cast<size_t>(plan.nRanks());
  sendsAlways_.assign(nRanks, 0);
  receivesAlways_.assign(nRanks, 0);
  places_.assign(plan.receives().size(), -1);
  firstSend_.assign(1, 0);
  firstReceive_.assign(1, 0);
  const bool joins = crossing == Crossing::Joined;
  if (hosts.empty() || (!joins && plan.distribution().heads.firstSharedKvHead() < 0)) {
    copyPlan();
    return;
  }
  hosts_.assign(hosts.begin(), hosts.end());
  if (joins) findPorters();
  Lists lists{std::vector<std::vector<Send>>(nRanks), std::vector<std::vector<Receive>>(nRanks)};
  for (int peer = 0; peer < plan.nRanks(); ++peer) {
    if (joins && isApart(peer, plan.rank()))
      addJoined(lists, peer);
    else
      addDirect(lists, peer);
  }
  for (int peer = 0; joins && peer < plan.nRanks(); ++peer)
    if (isApart(peer, plan.rank())) addPorterage(lists, peer);
  addLater(lists);
  join(lists);
}

/// What waits for rows to come, or for others', begins a chunk behind what was passed on: a chunk goes when it is full,
/// and what is passed on must not wait for what may itself wait for it.
void Streams::addLater(Lists& lists) {
  std::vector<size_t> sends, receives;
  for (const auto& list : lists.sends) sends.push_back(list.size());
  for (const auto& list : lists.receives) receives.push_back(list.size());
  if (plan_.operation() == Operation::ScatterHeads)
    addRelays(lists);
  else
    addSummands(lists);
  const auto setApart = [](auto& of, const std::vector<size_t>& first) {
    for (size_t peer = 0; peer < first.size(); ++peer)
      if (first[peer] < of[peer].size()) of[peer][first[peer]].apart = true;
  };
  if (onHost_.empty()) return;
  setApart(lists.sends, sends);
  setApart(lists.receives, receives);
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
    if (isPassedOn(self, peer, box)) continue;
    Send send{.box = &box};
    if (isBack && deputyFor(peer, self, box) == self) {
      send.transit = static_cast<int32_t>(transits_.size());
      transits_.push_back({});
    }
    lists.sends[p].push_back(send);
  }
  const auto boxes = plan_.receivesFrom(peer);
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (isPassedOn(peer, self, boxes[i].box)) continue;
    const bool isSum = isBack && deputyFor(self, peer, boxes[i].box) >= 0;
    const auto receive = static_cast<int32_t>(plan_.firstReceive(peer) + static_cast<int64_t>(i));
    places_[static_cast<size_t>(receive)] = static_cast<int32_t>(lists.receives[p].size());
    lists.receives[p].push_back({.box = &boxes[i].box, .receive = receive, .unit = isSum ? -1 : boxes[i].unit});
  }
}

/// Whether the two leave it to a deputy.
bool Streams::isPassedOn(int source, int destination, const Box& box) const {
  const bool isBack = plan_.operation() == Operation::GatherHeads;
  const int deputy = isBack ? deputyFor(destination, source, box) : deputyFor(source, destination, box);
  return deputy >= 0 && deputy != (isBack ? source : destination);
}

void Streams::findPorters() {
  onHost_.resize(hosts_.size());
  for (int rank = 0; rank < plan_.nRanks(); ++rank) {
    auto& here = onHost_[static_cast<size_t>(hosts_[static_cast<size_t>(rank)])];
    seats_.push_back(static_cast<int>(here.size()));
    here.push_back(rank);
  }
}

/// The rank on the destination's host that takes all that the source has for that host. Ranks take turns by seat.
int Streams::porterFor(int source, int destination) const {
  const auto& there = onHost_[static_cast<size_t>(hosts_[static_cast<size_t>(destination)])];
  return there[static_cast<size_t>(seats_[static_cast<size_t>(source)]) % there.size()];
}

/// What goes to a rank of another host stands in its porter's stream by the rank it is for. So all streams between
/// hosts are in one order, and what is passed on waits for nothing but what is before it.
void Streams::addJoined(Lists& lists, int peer) {
  const int self = plan_.rank();
  auto& sends = lists.sends[static_cast<size_t>(porterFor(self, peer))];
  for (const Box& box : plan_.sendsTo(peer))
    if (!isPassedOn(self, peer, box)) sends.push_back({.box = &box});
}

/// What comes from a rank of another host: for this rank from its porter, and, where that is this rank, for all others
/// here. Behind what ranks of this host have for each other, and before what waits for rows to come: in chunks apart.
void Streams::addPorterage(Lists& lists, int source) {
  const int self = plan_.rank(), porter = porterFor(source, self);
  for (const int rank : onHost_[static_cast<size_t>(hosts_[static_cast<size_t>(self)])]) {
    if (porter == self && rank != self) passOn(lists, source, rank);
    if (rank != self) continue;
    const auto boxes = plan_.receivesFrom(source);
    for (size_t i = 0; i < boxes.size(); ++i) {
      if (isPassedOn(source, self, boxes[i].box)) continue;
      const auto receive = static_cast<int32_t>(plan_.firstReceive(source) + static_cast<int64_t>(i));
      const Receive entry{.box = &boxes[i].box, .always = porter != self, .receive = receive};
      auto& came = lists.receives[static_cast<size_t>(entry.always ? porter : source)];
      places_[static_cast<size_t>(receive)] = static_cast<int32_t>(came.size());
      if (entry.always)
        receiveAlways(lists, porter, entry);
      else
        came.push_back(entry);
    }
  }
}

void Streams::passOn(Lists& lists, int source, int destination) {
  auto& came = lists.receives[static_cast<size_t>(source)];
  for (const Box& box : plan_.boxesBetween(source, destination)) {
    if (isPassedOn(source, destination, box)) continue;
    const Box* const kept = &others_.emplace_back(box);
    const auto transit = static_cast<int32_t>(transits_.size());
    transits_.push_back({.firstSource = static_cast<int32_t>(sources_.size()), .sourceCount = 1});
    sources_.push_back({source, static_cast<int32_t>(came.size())});
    came.push_back({.box = kept, .transit = transit});
    sendAlways(lists, destination, {.box = kept, .always = true, .transit = transit});
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
  int32_t next = 0;  // sums were numbered by peer, too
  for (int peer = 0; peer < plan_.nRanks(); ++peer)
    for (const Box& box : plan_.sendsTo(peer)) {
      const int deputy = deputyFor(peer, self, box);
      if (deputy < 0) continue;
      if (deputy != self) {
        sendAlways(lists, deputy, {.box = &box, .always = true});
        continue;
      }
      Transit& sum = transits_[static_cast<size_t>(next)];
      sum.firstSource = static_cast<int32_t>(sources_.size());
      for (const int rank : membersFor(peer, self, box)) {
        const bool isOwn = rank == self;
        sources_.push_back(
            {rank, isOwn ? -1 : receiveAlways(lists, rank, {.box = &box, .always = true, .transit = next})});
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
