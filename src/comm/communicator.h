// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "comm/bootstrap/rendezvous.h"
#include "comm/device_exchanges.h"
#include "comm/gathering.h"
#include "comm/plan_cache.h"
#include "comm/reach.h"
#include "comm/regroup.h"
#include "comm/settings.h"

namespace ulysses {

/// One rank's end of a communicator: its paths to the peers, its exchange and its prepared calls. Made by create or
/// createAll; any thread may use it, one at a time (see Use).
class Communicator {
 public:
  /// Joins a communicator of several processes. Throws Error; nothing is held then.
  static std::unique_ptr<Communicator> create(const UniqueId& id, int nRanks, int rank, Settings settings,
                                              const std::function<void()>& watch = {},
                                              Patience patience = Patience::RootIsThere);
  /// All ranks of a communicator of this process.
  static std::vector<std::unique_ptr<Communicator>> createAll(int nRanks, Settings settings);
  ~Communicator();

  int rank() const { return rank_; }
  int nRanks() const { return nRanks_; }
  int64_t timeoutMs() const { return settings_.timeoutMs; }
  /// How rank and peer are joined: path name and reason; for tools.
  std::pair<std::string, std::string> pathTo(int peer) const;

  /// Exclusive use by one call; converts to false when another thread is inside. Takes the progress thread's lock.
  class Use {
   public:
    explicit Use(Communicator& comm);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    explicit operator bool() const { return entered_; }

   private:
    Communicator& comm_;
    bool entered_;
    std::unique_lock<std::mutex> lock_;
  };

  // --- inside a Use
  /// `bytes` are remembered for `repeats`. A call of device tensors is enqueued on the stream, and *sequence stays 0:
  /// there is nothing to wait for.
  Result start(const Call& call, const CallBytes& bytes, void* stream, uint64_t* sequence);
  /// Whether a call is the last started one again: the same operation, bytes and memory. Layers call in turns, but
  /// small exchanges in a loop are where every 100 ns count.
  bool repeats(Operation operation, const CallBytes& bytes) const;
  Result startAgain(uint64_t* sequence);
  Result poison(Operation operation, Result result, const std::string& text, const std::string& reproduction = {});
  /// A call of which no more is known than operation, memory and stream: it fails here and at the peers, on the host or
  /// on the device, wherever its exchange would have been. The other kind of exchanges goes on.
  Result refuse(const Call& known, Result result, const std::string& text, void* stream);
  /// A new communicator of some of these ranks, together with theirs; null when this rank is to be in none. Throws
  /// Error.
  std::unique_ptr<Communicator> regroup(const Regroup::Wish& wish, Settings settings);
  /// The state of this rank's end, as JSON.
  std::string dump() const;
  const Settings& settings() const { return settings_; }
  Exchange& exchange() { return *exchange_; }

  /// Collective: peers map device memory of this rank, as a window or not. A handle for deregisterDevice. Throws Error.
  const void* registerDevice(std::byte* pointer, int64_t bytes, bool window);
  /// Collective; false when the handle is not one of registerDevice.
  bool deregisterDevice(const void* handle) { return device_ && device_->remove(handle); }

  /// What the failure of an operation of that result is, for lastError.
  std::string rememberFailure(Result result);
  /// Takes in what peers sent, and moves along what they were told: now and then, where no call does.
  void service() noexcept;

  /// "rank 2 was lost: ...", or nothing while all peers live.
  std::optional<std::string> lostPeer();

  // --- from any thread at any time
  /// Ends all operations at all ranks with Aborted.
  void abort();
  Result asyncError() const;
  std::string lastError() const;

 private:
  /// What new communicators of its ranks take over from it.
  struct Origin {
    Secret secret{};
    std::string listenAddress = kLoopback;
  };
  Communicator(Identity identity, Routes routes, Settings settings, Origin origin);
  const Path* revokedPath() const;
  std::optional<Cause> deviceTrouble() const;
  Deadline deadline() const;
  void logState() const;
  std::string unheardText(Result result) const;
  bool progress(Waiter& waiter);
  void runProgress();
  void remember(PreparedCall& prepared, const TensorMemory& memory, const CallBytes& bytes);
  Result startOnHost(PlanCache& plans, const Call& call, const CallBytes& bytes, void* stream, uint64_t* sequence);
  Result enqueue(const Call& call, void* stream);
  void enqueueChecked(const Call& call, void* stream);
  bool isOnDevice(const Call& call) const;
  Result refuseOnDevice(Result result, const std::string& text, void* stream);
  std::unique_ptr<DeviceExchanges> makeDeviceExchanges();
  std::unique_ptr<DeviceExchanges> makeRelay(AllGather allGather);
  std::vector<std::byte> allGather(std::span<const std::byte> mine);

  struct LastCall {
    PreparedCall* prepared = nullptr;  // the cache's most recently used one, so it is still there
    TensorMemory memory;
    std::vector<std::byte> geometry, tensors;
  };

  int rank_, nRanks_;
  Settings settings_;
  Routes routes_;
  Origin origin_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<DeviceExchanges> device_;              // before the plans, which hold memory of its GPU
  std::atomic<DeviceExchanges*> sharedDevice_{nullptr};  // the same, for functions that any thread may call
  PlanCache plans_;
  PlanCache gatherings_;  // of registrations, so that they drop none of the caller's
  LastCall last_;
  uint64_t regroups_ = 0;
  bool wroteDump_ = false;

  std::atomic<bool> inUse_{false};
  std::atomic<bool> outstanding_{false};
  std::mutex progressMutex_;
  std::atomic<bool> stopProgress_{false};
  std::thread progressThread_;

  mutable std::mutex errorMutex_;
  std::string lastError_;
  std::string unheard_;  // of the failure that ended the communicator, where it was this rank's
};

}  // namespace ulysses
