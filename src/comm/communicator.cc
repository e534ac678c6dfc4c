// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/communicator.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/checks.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "comm/dump.h"
#include "topo/host.h"

namespace ulysses {

Communicator::Communicator(Identity identity, Routes routes, Settings settings, Origin origin)
    : rank_(identity.rank),
      nRanks_(identity.nRanks),
      settings_(std::move(settings)),
      routes_(std::move(routes)),
      origin_(std::move(origin)),
      plans_(rank_, settings_.planCacheSize, routes_.hosts) {
  exchange_ = std::make_unique<Exchange>(std::move(identity), routes_.byRank, settings_.streamBytes,
                                         routes_.ranksHere <= coresOfHost());
  exchange_->onFailure([this] {
    // Of mismatches the first; the end of the communicator always, in its place.
    if (wroteDump_ && exchange_->revoked() == Result::Success) return;
    writeDumpFile(*exchange_, settings_);
    wroteDump_ = true;
  });
  logState();
  if (settings_.progressThread) progressThread_ = startThread("progress_thread=1", [this] { runProgress(); });
}

Communicator::~Communicator() {
  stopProgress_.store(true);
  if (progressThread_.joinable()) progressThread_.join();
}

void Communicator::logState() const {
  if (!log::shows(log::Level::Info, log::Subsystem::Init) && !log::shows(log::Level::Info, log::Subsystem::Env) &&
      !log::shows(log::Level::Info, log::Subsystem::Path) && !log::shows(log::Level::Info, log::Subsystem::Topo))
    return;
  const std::string who = exchange_->identity().whoText();
  log::info({log::Subsystem::Init, who}, "communicator made");
  log::info({log::Subsystem::Env, who}, "{}", settings_.toText());
  const CacheSizes& caches = cacheSizes();
  log::info({log::Subsystem::Topo, who}, "host {}: {} cores, L2 {} bytes, L3 {} bytes for {} cores",
            exchange_->identity().host, coresOfHost(), caches.l2Bytes, caches.l3Bytes, caches.coresSharingL3);
  std::map<std::string, std::string> peers;  // by path and reason, so that many ranks do not make many lines
  for (int peer = 0; peer < nRanks_; ++peer) {
    const auto [name, reason] = pathTo(peer);
    std::string& list = peers[formatText("{}: {}", name, reason)];
    list += formatText("{}{}", list.empty() ? "" : ", ", peer);
  }
  for (const auto& [path, list] : peers) log::info({log::Subsystem::Path, who}, "to rank {} by {}", list, path);
}

std::pair<std::string, std::string> Communicator::pathTo(int peer) const {
  if (peer == rank_) return {"self", "this rank"};
  const Path& path = *routes_.byRank[static_cast<size_t>(peer)];
  return {std::string(path.name()), path.reasonFor(peer)};
}

const Path* Communicator::revokedPath() const {
  const auto at = std::ranges::find_if(routes_.paths, [](const auto& path) { return path->isRevoked(); });
  return at == routes_.paths.end() ? nullptr : at->get();
}

Communicator::Use::Use(Communicator& comm)
    : comm_(comm), entered_(!comm.inUse_.exchange(true, std::memory_order_acquire)) {
  if (entered_ && comm_.settings_.progressThread) lock_ = std::unique_lock(comm_.progressMutex_);
}

Communicator::Use::~Use() {
  if (!entered_) return;
  comm_.outstanding_.store(comm_.exchange_->outstanding(), std::memory_order_relaxed);
  comm_.inUse_.store(false, std::memory_order_release);
}

bool Communicator::repeats(Operation operation, const CallBytes& bytes) const {
  const auto same = [](const std::vector<std::byte>& a, std::span<const std::byte> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  };
  return last_.prepared && last_.prepared->plan().operation() == operation && !bytes.geometry.empty() &&
         same(last_.geometry, bytes.geometry) && same(last_.tensors, bytes.tensors);
}

Deadline Communicator::deadline() const {
  return kChecks ? Deadline::inMsCoarse(settings_.timeoutMs) : Deadline::never();
}

Result Communicator::startAgain(uint64_t* sequence) {
  return exchange_->start(*last_.prepared, last_.memory, deadline(), sequence);
}

void Communicator::remember(PreparedCall& prepared, const TensorMemory& memory, const CallBytes& bytes) {
  last_.geometry.assign(bytes.geometry.begin(), bytes.geometry.end());
  last_.tensors.assign(bytes.tensors.begin(), bytes.tensors.end());
  last_.memory = memory;
  last_.prepared = &prepared;
}

Result Communicator::start(const Call& call, const CallBytes& bytes, uint64_t* sequence) {
  last_.prepared = nullptr;
  try {
    PreparedCall& prepared = plans_.get(call);
    requireMemory(prepared, call.memory);
    remember(prepared, call.memory, bytes);
    return exchange_->start(prepared, call.memory, deadline(), sequence);
  } catch (const Error& error) {
    return poison(call.operation, error.result(), error.what(), reproductionOf(call));
  } catch (const std::bad_alloc&) {
    return poison(call.operation, Result::OutOfMemory, "out of memory while the call was planned");
  } catch (const std::exception& error) {
    return poison(call.operation, Result::InternalError, error.what());
  }
}

Result Communicator::poison(Operation operation, Result result, const std::string& text,
                            const std::string& reproduction) {
  return exchange_->poison(operation, result, text, deadline(), reproduction);
}

std::string Communicator::dump() const { return dumpOf(*exchange_, settings_); }

std::optional<std::string> Communicator::lostPeer() {
  for (int peer = 0; peer < nRanks_; ++peer) {
    if (peer == rank_) continue;
    if (const auto reason = routes_.byRank[static_cast<size_t>(peer)]->lost(peer))
      return formatText("rank {} was lost: {}", peer, *reason);
  }
  return std::nullopt;
}

void Communicator::abort() {
  Cause cause{.result = static_cast<int32_t>(Result::Aborted), .rank = -1, .sequence = 0};
  copyText(cause.text,
           formatText("rank {} (pid {}) aborted communicator {}", rank_, getpid(), exchange_->identity().name));
  for (const auto& path : routes_.paths) path->revoke(cause);
}

Result Communicator::asyncError() const {
  if (const Path* path = revokedPath()) return static_cast<Result>(path->cause().result);
  return outstanding_.load(std::memory_order_relaxed) ? Result::InProgress : Result::Success;
}

std::string Communicator::lastError() const {
  if (const Path* path = revokedPath()) return textOf(path->cause(), rank_);
  const std::lock_guard lock(errorMutex_);
  return lastError_;
}

void Communicator::rememberError(const std::string& text) {
  const std::lock_guard lock(errorMutex_);
  lastError_ = text;
}

/// The opt-in thread: takes turns with the caller, a step at a time.
void Communicator::runProgress() {
  constexpr int kIdleUs = 200;
  Waiter waiter;
  while (!stopProgress_.load(std::memory_order_relaxed)) {
    bool any = false;
    {
      const std::lock_guard lock(progressMutex_);
      any = exchange_->outstanding();
      if (any && exchange_->advance())
        waiter.reset();
      else if (any)
        exchange_->idle(waiter, false);
      outstanding_.store(exchange_->outstanding(), std::memory_order_relaxed);
    }
    if (!any) {
      waiter.reset();
      usleep(kIdleUs);
    } else {
      sched_yield();  // lets a caller that waits for the lock have it
    }
  }
}

}  // namespace ulysses
