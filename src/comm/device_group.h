// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <list>
#include <map>

#include "comm/device_exchanges.h"
#include "comm/gathering.h"
#include "comm/mapping_passing.h"
#include "path/cuda/device_rank.h"
#include "path/cuda/shadows.h"

namespace ulysses {

/// Device memory of ranks of one host, which their GPUs map of each other.
class DeviceGroup final : public DeviceExchanges {
 public:
  struct Options {
    int64_t timeoutMs;
    EnginePolicy policy;   // of this rank; rank 0's holds
    int mostBlocks;        // thread blocks of a launch; 0: as many as there is room for
    std::string who;       // this rank, as users know it
    Path* path = nullptr;  // to peers in other processes, if there are any
  };
  DeviceGroup(std::unique_ptr<DeviceRuntime> runtime, int rank, int nRanks, const Options& options,
              AllGather allGather);
  ~DeviceGroup() override;

  DeviceRuntime& runtime() override { return *runtime_; }

  /// Memory that a peer cannot map gets a shadow, which it can; exchanges then copy between the two. Throws Error at
  /// all ranks when one cannot map another's shadow either, or not all register a window.
  const void* add(std::byte* pointer, int64_t bytes, bool window) override;
  bool remove(const void* handle) override;

  bool holds(const std::byte* begin, const std::byte* end) const override {
    return end_.segments().find(begin, end).has_value() || shadows_.find(begin, end) != nullptr;
  }

  void enqueue(const Call& call, PreparedCall& prepared, void* stream) override;
  void refuse(Result result, const std::string&, void* stream) override { end_.refuse(result, stream); }

  void finish() noexcept override;
  void revoke() noexcept override { end_.revoke(); }
  std::optional<Cause> trouble() const override { return end_.trouble(); }

  View view() const override;

 private:
  struct Card;
  struct Registration {
    std::byte* memory = nullptr;
    int64_t bytes = 0;
    bool window = false;
    bool complete = false;  // at every rank
    uint32_t index = 0;
    std::vector<DeviceRuntime::Allocation> mappings{};  // that it lies in and peers are passed
    std::vector<std::optional<ImportedMemory>> imported{};
    std::vector<DeviceRuntime::Handle> opened{};
    std::string noHandle{};   // why other processes cannot map the memory
    std::string whyShadow{};  // "": the memory itself is mapped
    DeviceMemory shadow{};
  };
  struct Verdict;
  bool tryAdd(Registration& registration);
  std::vector<Card> gather(Registration& registration);
  Card cardOf(Registration& registration);
  void describe(const Registrable& found, Registration& registration, Card& card);
  void passMappings(const std::vector<Card>& cards, Registration& registration);
  bool wantShadows(const std::vector<Card>& cards, Registration& registration);
  void requireHeard();
  Verdict mapAll(const std::vector<Card>& cards, Registration& registration);
  bool accept(const std::vector<Verdict>& verdicts, const std::vector<Card>& cards, Registration& registration);
  void requireSameKind(const std::vector<Card>& cards) const;
  std::unique_ptr<DeviceCall> makeCall(const PreparedCall& prepared, const TensorsOf& tensorsOf);
  void connect(const std::vector<Card>& cards);
  void leaveBoards(bool troubled) noexcept;
  std::byte* map(const Card& card, uint64_t address, const DeviceRuntime::Handle& handle, Registration& registration);
  std::byte* mapMemory(size_t rank, const Card& card, Registration& registration);
  void close(Registration& registration) noexcept;

  std::unique_ptr<DeviceRuntime> runtime_;
  int rank_, nRanks_;
  EnginePolicy policy_;  // this rank's; rank 0's once connected
  AllGather allGather_;
  MappingPassing passing_;
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
