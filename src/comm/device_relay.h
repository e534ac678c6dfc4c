// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "comm/device_exchanges.h"
#include "comm/gathering.h"
#include "comm/plan_cache.h"
#include "path/cuda/handover_end.h"
#include "path/cuda/host_images.h"
#include "path/cuda/launch_lease.h"
#include "path/cuda/shard_batch.h"

namespace ulysses {

class Communicator;

/// Device memory of ranks of several hosts. Each registered range has an image in host memory; a call's stream copies
/// inputs to it, hands the exchange of the images to a thread of this rank, waits for it and copies outputs back. The
/// thread uses a communicator of its own, made of the same ranks (docs/design/0012-device-memory-between-hosts.md).
class DeviceRelay final : public DeviceExchanges {
 public:
  struct Options {
    int64_t timeoutMs;  // of an exchange, from when the thread takes it
    int mostBlocks;     // thread blocks of a copy; 0: as many as the GPU has room for
    std::string who;    // this rank, as users know it
  };
  /// Collective: a communicator of the same ranks; throws Error at all ranks when there is none.
  using MakePeers = std::function<std::unique_ptr<Communicator>()>;

  /// `plans`: empty.
  DeviceRelay(std::unique_ptr<DeviceRuntime> runtime, PlanCache plans, const Options& options, AllGather allGather,
              MakePeers makePeers);
  ~DeviceRelay() override;

  DeviceRuntime& runtime() override { return *runtime_; }
  const void* add(std::byte* pointer, int64_t bytes, bool window) override;
  bool remove(const void* handle) override;
  bool holds(const std::byte* begin, const std::byte* end) const override {
    return images_.find(begin, end).has_value();
  }
  void enqueue(const Call& call, PreparedCall&, void* stream) override;
  void refuse(Result result, const std::string& text, void* stream) override;
  void finish() noexcept override;
  void revoke() noexcept override;
  std::optional<Cause> trouble() const override;
  View view() const override;

 private:
  /// A plan as the stream and the thread use it; kept, since graphs may be made of it.
  struct Relayed {
    PreparedCall* call = nullptr;  // the thread's, but for what never changes
    std::vector<ShardRows> inputs{}, outputs{};
  };
  struct Registration {
    const std::byte* memory = nullptr;
    int64_t bytes = 0;
    bool window = false;
    std::shared_ptr<HostImage> image;
    uint64_t index = 0;  // of the registrations made so far
  };

  /// Tensors' pointers, as if in their images; null where a tensor has no bytes.
  using Ends = std::array<HostImages::Place, kMaxTensors>;

  void connect();
  void disconnect();
  Relayed& relayedOf(const Call& call);
  Relayed* find(uint64_t plan);
  Ends endsOf(const std::vector<ShardRows>& rows, const Call& call, bool input) const;
  int blocks() const;
  void handOver(const device::Order& order, void* stream);

  // --- of the thread
  void run();
  bool carryOut(const device::Order& order);
  Result exchange(const device::Order& order, std::string* text);
  std::string refusal() const;
  Relayed& requireRelayed(const device::Order& order);
  void fail(Result result, const std::string& text);

  std::unique_ptr<DeviceRuntime> runtime_;
  Options options_;
  AllGather allGather_;
  MakePeers makePeers_;
  HostImages images_;
  HostImage words_;  // a Handover
  DeviceMemory state_;
  HandoverEnd end_;
  PlanCache plans_;
  uint64_t registered_ = 0;
  std::list<Registration> registrations_;

  mutable std::mutex mutex_;  // of what follows
  std::unordered_map<uint64_t, Relayed> relayed_;
  std::unique_ptr<Communicator> peers_;
  bool revoked_ = false;
  std::string refusal_;         // why this rank could not make its first call that it could not make
  std::optional<Cause> cause_;  // of the first exchange that failed

  std::atomic<bool> stop_{false};
  std::thread thread_;
  LaunchLease lease_;
};

}  // namespace ulysses
