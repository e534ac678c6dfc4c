// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "comm/call.h"
#include "path/cuda/engine.h"
#include "path/cuda/runtime.h"
#include "path/record.h"

namespace ulysses {

/// Device memory of a communicator's ranks: what they registered, and the exchanges of it. Ranks of one host have a
/// DeviceGroup, ranks of several a DeviceRelay each; made by the first registration. Inside a Use, but for revoke and
/// trouble.
class DeviceExchanges {
 public:
  virtual ~DeviceExchanges() = default;

  virtual DeviceRuntime& runtime() = 0;

  /// Collective: `bytes` at `pointer` of this rank, whatever of each other. `window`: ranks promise to pass outputs in
  /// it alike (ULYSSES_REGISTER_WINDOW). A handle for remove. Throws Error at all ranks when one cannot; nothing is
  /// registered then.
  virtual const void* add(std::byte* pointer, int64_t bytes, bool window) = 0;
  /// Collective. false when the handle is not one of add's.
  virtual bool remove(const void* handle) = 0;
  /// Whether bytes of this rank's are in memory that it registered; without asking the driver.
  virtual bool holds(const std::byte* begin, const std::byte* end) const = 0;

  /// Enqueues the exchange and returns. Throws InvalidUsage for memory that is not registered where it must be.
  virtual void enqueue(const Call& call, PreparedCall& prepared, void* stream) = 0;
  /// This rank cannot make its call, for the reason in `text`; that of its peers fails.
  virtual void refuse(Result result, const std::string& text, void* stream) = 0;

  /// Waits for the kernels of this rank, the last ones: before anything that they use is freed.
  virtual void finish() noexcept = 0;
  /// Ends the exchanges of all ranks, soon. From any thread, as trouble.
  virtual void revoke() noexcept = 0;
  /// What ended the exchanges, as this rank saw it.
  virtual std::optional<Cause> trouble() const = 0;

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
  virtual View view() const = 0;
};

}  // namespace ulysses
