// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>

#include "base/format.h"
#include "base/status.h"
#include "path/cuda/device_call.h"
#include "path/cuda/launch_lease.h"
#include "path/cuda/segments.h"
#include "path/record.h"

namespace ulysses {

/// One rank's end of a group of GPUs: its board, the memory that the ranks have mapped of each other, and the exchanges
/// it enqueues. How ranks learn of each other's boards and memory is the owner's affair. One thread at a time.
class DeviceRank {
 public:
  struct Options {
    int rank, nRanks;
    int64_t timeoutMs;
    int mostBlocks = 0;  // of an exchange; 0: all that this rank's share of the GPU holds at once
    std::string who = formatText("rank {}/{}", rank, nRanks);  // as users know it
  };
  DeviceRank(DeviceRuntime& runtime, const Options& options);

  std::byte* board() const { return board_.data(); }
  /// Where the boards of all ranks are, as this process maps them, and how many of the ranks share this GPU and its
  /// room for thread blocks.
  void connect(std::span<std::byte* const> boards, int ranksOnDevice);
  /// How many thread blocks of this rank may run at once, of an exchange with sums or without.
  int blocks(bool sums = false) const { return sums ? blocksWithSums_ : blocks_; }
  /// Writes a word to every board, as exchanges will; after all ranks have, and know it of each other, `unheard` tells
  /// the first whose word is not on this board, or -1.
  void greet();
  int unheard();
  /// The board is not freed with this object: somebody may still write to it.
  void abandonBoard() { board_.abandon(); }
  /// Somebody else frees it, once nobody writes to it.
  void giveBoardAway() { static_cast<void>(board_.release()); }
  /// Launches that a graph makes from now on do nothing, but for a warning. No other launch may be under way.
  void retire() noexcept { lease_.end(); }
  const device::Lease& lease() const { return lease_.device(); }
  /// For calls of this rank, which must not outlive it.
  PlanMemory& planMemory() { return plans_; }
  Segments& segments() { return segments_; }
  const Segments& segments() const { return segments_; }

  /// Enqueues the call on the stream and returns which engine moves its bytes: nothing is waited for, no memory is
  /// taken. Throws InvalidUsage for a tensor that is not in registered memory, naming it. What goes wrong later is told
  /// by trouble().
  Engine enqueue(const DeviceCall& call, std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs,
                 void* stream);
  /// The same for a call that this rank cannot make: its peers' exchanges fail with `result`.
  void refuse(Result result, void* stream);

  /// Ends the exchanges of all ranks, soon. From any thread.
  void revoke() noexcept;

  /// What ended the exchanges of this group, as this rank's kernels saw it, or nothing.
  std::optional<Cause> trouble() const;

 private:
  int roomFor(bool sums, int ranksOnDevice) const;
  device::Arguments prepare(device::Arguments call);
  void place(const DeviceCall& call, int tensor, const std::byte* pointer, device::TensorPlace& place) const;
  bool areInWindows(const device::Arguments& arguments) const;
  std::byte* destinationOf(const PeerCopy& copy, const device::Arguments& arguments) const;
  void enqueueCopies(const DeviceCall& call, device::Arguments& arguments, void* stream);
  void launch(const device::Arguments& arguments, uint32_t tiles, void* stream);
  std::string textOf(const device::Report& report) const;

  DeviceRuntime& runtime_;
  Options options_;
  int blocks_ = 1, blocksWithSums_ = 1;
  DeviceMemory board_, report_, boards_;
  PlanMemory plans_;
  std::vector<std::byte*> boardsHere_;
  Segments segments_;
  LaunchLease lease_;  // the last, so that it ends first
};

}  // namespace ulysses
