// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What --memory cuda needs of a rank's GPU: memory, one stream, a clock on it. perf/cuda has it with CUDA, and what
// stands in its place where the tool is built without; tests have one that is the CPU.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "strided.h"

namespace ulysses::perf {

// Used by the thread that made it. Functions throw RunError with the call and the reason.
class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;  // model and UUID

  virtual std::byte* allocate(int64_t bytes) = 0;
  virtual void free(std::byte* memory) noexcept = 0;

  // Between host and GPU, after all that was enqueued; done on return.
  virtual void upload(std::byte* to, const void* from, int64_t bytes) = 0;
  virtual void download(void* to, const std::byte* from, int64_t bytes) = 0;

  // How another process of this host maps an allocation, by its start. Closed before its owner frees it.
  using Handle = std::array<std::byte, 64>;
  virtual Handle exportMemory(std::byte* start) = 0;
  virtual std::byte* openMemory(const Handle& handle) = 0;
  virtual void closeMemory(std::byte* memory) noexcept = 0;

  // A cudaStream_t, on which the following are enqueued.
  virtual void* stream() = 0;
  virtual void copy(std::byte* to, const std::byte* from, int64_t bytes) = 0;
  virtual void copyStrided(std::byte* to, const std::byte* from, const StridedPass& pass) = 0;  // boxes on the device
  virtual void rewrite(std::byte* data, int64_t bytes) = 0;  // in place, what the layer before does to an input
  virtual void readAll(const std::byte* data, int64_t bytes) = 0;

  virtual void startClock() = 0;
  virtual double stopClockUs() = 0;  // since startClock, of what was enqueued between the two; waits for it
  virtual void finish() = 0;         // waits for all that was enqueued
};

// GPU `localRank` modulo their number, current to this thread from now on. Throws RunError, with NotSupported and a
// remedy, where the tool was built without CUDA or there is no driver or no GPU. Makes the process one that uses CUDA:
// it must not fork afterwards.
std::unique_ptr<Device> openDevice(int localRank);

}  // namespace ulysses::perf
