// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/plan_cache.h"

#include <cstring>

#include "base/hash.h"
#include "base/log.h"

namespace ulysses {
void PlanCache::makeKey(const Call& call) {
  const Geometry& g = call.geometry;
  const int64_t scalars[] = {static_cast<int64_t>(call.operation),
                             g.nRanks,
                             g.sequence,
                             g.batch,
                             g.heads,
                             g.kvHeads,
                             static_cast<int64_t>(g.order),
                             call.nTensors,
                             static_cast<int64_t>(g.tag),
                             std::ssize(g.tokens),
                             std::ssize(g.queryHeads),
                             std::ssize(g.cuSeqlens)};
  const std::span<const CallTensor> tensors(call.tensors, static_cast<size_t>(call.nTensors));
  key_.resize(sizeof scalars + tensors.size_bytes() + g.tokens.size_bytes() + g.queryHeads.size_bytes() +
              g.cuSeqlens.size_bytes());
  std::byte* to = key_.data();
  const auto append = [&to](const void* data, size_t bytes) {
    if (bytes > 0) std::memcpy(to, data, bytes);
    to += bytes;
  };
  append(scalars, sizeof scalars);
  append(tensors.data(), tensors.size_bytes());
  append(g.tokens.data(), g.tokens.size_bytes());
  append(g.queryHeads.data(), g.queryHeads.size_bytes());
  append(g.cuSeqlens.data(), g.cuSeqlens.size_bytes());
}

PreparedCall& PlanCache::get(const Call& call) {
  makeKey(call);
  if (!entries_.empty() && entries_.front().key == key_) return *entries_.front().call;  // the same call again
  const uint64_t hash = hashBytes(key_.data(), key_.size(), 0);
  const auto at = byHash_.find(hash);
  if (at != byHash_.end() && at->second->key == key_) {
    entries_.splice(entries_.begin(), entries_, at->second);
    return *entries_.front().call;
  }
  auto prepared = std::make_unique<PreparedCall>(call.operation, call.geometry, resolveTensors(call, rank_), rank_,
                                                 nextRecordId_++, hosts_, crossing_);
  makeRoom();
  log::info(
      log::Subsystem::Plan,
      "rank {}: plan {} made, {} sequence {} batch {} heads {} kvHeads {} tensors {}: receives {} bytes; {} of {} "
      "plans kept",
      rank_, prepared->recordId(), nameOf(call.operation), call.geometry.sequence, call.geometry.batch,
      call.geometry.heads, call.geometry.kvHeads, call.nTensors, prepared->plan().bytesReceived(), entries_.size() + 1,
      capacity_);
  entries_.push_front({key_, hash, std::move(prepared)});
  byHash_[hash] = entries_.begin();  // of two calls with one hash the older is found no more, and ages out
  return *entries_.front().call;
}

void PlanCache::makeRoom() {
  for (auto at = entries_.end(); entries_.size() >= capacity_ && at != entries_.begin();) {
    --at;
    if (at->call->pins > 0) continue;
    const auto mapped = byHash_.find(at->hash);
    if (mapped != byHash_.end() && mapped->second == at) byHash_.erase(mapped);
    at = entries_.erase(at);
  }
}

}  // namespace ulysses
