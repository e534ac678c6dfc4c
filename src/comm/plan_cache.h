// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <list>
#include <memory>
#include <unordered_map>

#include "comm/call.h"

namespace ulysses {

/// Calls prepared before, least recently used dropped. A look-up that hits allocates nothing.
class PlanCache {
 public:
  /// `hosts` and `crossing`: see PreparedCall. `firstId`: of records; of two caches for one path no two may be equal.
  PlanCache(int rank, int capacity, std::vector<int> hosts = {}, Crossing crossing = Crossing::Heads,
            uint64_t firstId = 1)
      : rank_(rank),
        capacity_(static_cast<size_t>(capacity)),
        hosts_(std::move(hosts)),
        crossing_(crossing),
        nextRecordId_(firstId) {}

  /// The prepared form of a call; throws Error when it cannot be prepared.
  PreparedCall& get(const Call& call);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::vector<std::byte> key;
    uint64_t hash;
    std::unique_ptr<PreparedCall> call;
  };
  void makeKey(const Call& call);
  void makeRoom();

  int rank_;
  size_t capacity_;
  std::vector<int> hosts_;
  Crossing crossing_;
  uint64_t nextRecordId_;
  std::vector<std::byte> key_;  // of the call at hand; keeps its room
  std::list<Entry> entries_;    // most recently used first
  std::unordered_map<uint64_t, std::list<Entry>::iterator> byHash_;
};

}  // namespace ulysses
