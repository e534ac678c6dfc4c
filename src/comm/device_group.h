// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <list>
#include <map>

#include "exchange/prepared_call.h"
#include "path/cuda/device_rank.h"
#include "path/cuda/shadows.h"

namespace ulysses {

/// Device memory of a communicator's ranks: what they registered, and the exchanges of it. Made by the first
/// registration. Inside a Use, but for revoke and trouble.
class DeviceGroup {
 public:
  /// Gathers as many bytes of every rank, in rank order, at every rank; throws Error at all when one fails.
  using AllGather = std::function<std::vector<std::byte>(std::span<const std::byte>)>;

  struct Options {
    int64_t timeoutMs;
    EnginePolicy policy;  // of this rank; rank 0's holds
    int mostBlocks;       // thread blocks of a launch; 0: as many as there is room for
    std::string who;      // this rank, as users know it
  };
  DeviceGroup(std::unique_ptr<DeviceRuntime> runtime, int rank, int nRanks, const Options& options,
              AllGather allGather);
  ~DeviceGroup();

  DeviceRuntime& runtime() { return *runtime_; }

  /// Collective: `bytes` at `pointer` of this rank, whatever of each other. `window`: ranks promise to pass outputs in
  /// it alike (ULYSSES_REGISTER_WINDOW). A handle for remove. Memory that a peer cannot map gets a shadow, which it
  /// can; exchanges then copy between the two. Throws Error at all ranks when one cannot map another's shadow either,
  /// or not all register a window; nothing is registered then.
  const void* add(std::byte* pointer, int64_t bytes, bool window);
  /// Collective. false when the handle is not one of add's.
  bool remove(const void* handle);

  /// Whether bytes of this rank's are in memory that it registered; without asking the driver.
  bool holds(const std::byte* begin, const std::byte* end) const {
    return end_.segments().find(begin, end).has_value() || shadows_.find(begin, end) != nullptr;
  }

  /// Enqueues the exchange and returns. `tensorsOf`: of the same call at any rank. Throws InvalidUsage for memory that
  /// is not registered where it must be.
  void enqueue(PreparedCall& prepared, std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs,
               const TensorsOf& tensorsOf, void* stream);
  /// This rank cannot make its call; that of its peers fails.
  void refuse(Result result, void* stream) { end_.refuse(result, stream); }

  /// Waits for the kernels of this rank, the last ones: before anything that they use is freed.
  void finish() noexcept;
  /// From any thread.
  void revoke() noexcept { end_.revoke(); }
  std::optional<Cause> trouble() const { return end_.trouble(); }

  /// For people who look.
  struct Range {
    const std::byte* memory;
    int64_t bytes;
    bool window;
    std::string whyShadow;  // "": peers map the memory itself
  };
  struct View {
    int gpu;  // ordinal in this process
    EnginePolicy policy;
    int blocks;
    std::vector<Range> ranges;  // that are registered
  };
  View view() const;

 private:
  struct Card;
  using Problem = std::array<char, 240>;  // what went wrong at a rank, "" for nothing
  struct Registration {
    std::byte* memory = nullptr;
    int64_t bytes = 0;
    bool window = false;
    bool complete = false;  // at every rank
    uint32_t index = 0;
    std::vector<DeviceRuntime::Handle> opened{};
    std::string noHandle{};   // why other processes cannot map the memory
    std::string whyShadow{};  // "": the memory itself is mapped
    DeviceMemory shadow{};
  };
  struct Verdict;
  bool tryAdd(Registration& registration);
  std::vector<Card> gather(Registration& registration);
  Card cardOf(Registration& registration);
  int requireWhole(const Registration& registration, DeviceRuntime::Allocation first);
  bool wantShadows(const std::vector<Card>& cards, Registration& registration);
  void requireHeard();
  Verdict mapAll(const std::vector<Card>& cards, Registration& registration);
  bool accept(const std::vector<Verdict>& verdicts, const std::vector<Card>& cards, Registration& registration);
  void requireSameKind(const std::vector<Card>& cards) const;
  std::unique_ptr<DeviceCall> makeCall(const PreparedCall& prepared, const TensorsOf& tensorsOf);
  void connect(const std::vector<Card>& cards);
  void leaveBoards(bool troubled) noexcept;
  std::byte* map(const Card& card, uint64_t address, const DeviceRuntime::Handle& handle, Registration& registration);
  void close(Registration& registration) noexcept;
  void agree(const std::vector<Problem>& problems) const;

  std::unique_ptr<DeviceRuntime> runtime_;
  int rank_, nRanks_;
  EnginePolicy policy_;  // this rank's; rank 0's once connected
  AllGather allGather_;
  DeviceRank end_;
  Shadows shadows_;
  bool connected_ = false, heard_ = false;
  struct Opened {
    std::byte* memory;
    int uses;
  };
  std::map<DeviceRuntime::Handle, Opened> opened_;  // an allocation is opened once, however many ranges of it there are
  Registration boards_{};
  std::vector<std::byte*> sharedBoards_;  // of the ranks that are in this process, this one among them
  std::list<Registration> registrations_;
};

}  // namespace ulysses
