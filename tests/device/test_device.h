// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "path/cuda/runtime.h"

namespace ulysses::test {

/// A rank's device in a test, with one stream. Linked in is that of CPUs (cpu_device.cc) or of a GPU (tests/gpu).
class TestDevice {
 public:
  virtual ~TestDevice() = default;
  virtual DeviceRuntime& runtime() = 0;
  virtual void* stream() = 0;
  /// Until all that was enqueued is done.
  virtual void wait() = 0;
  /// What `enqueues` puts on the stream becomes a graph and does not run; each replay enqueues it. Once.
  virtual void capture(const std::function<void()>& enqueues) = 0;
  virtual void replay() = 0;
  virtual std::vector<std::byte> read(const std::byte* from, std::size_t bytes) = 0;
  /// Memory by cuMemMap, across the end of a mapping; each has a descriptor. Freed with the device. Once.
  virtual std::byte* allocateMapped(std::int64_t bytes) = 0;
};
std::unique_ptr<TestDevice> makeTestDevice();

/// For ranks that are processes: before they are forked, and in each.
void prepareProcesses(int nRanks);
void enterProcess(int rank);

/// Until the test's end copies may overwrite each other's bytes, as they do after a failed meeting: the thread
/// sanitizer need not tell.
void letCopiesRace();

/// How many random cases to try.
std::uint64_t deviceCases();

}  // namespace ulysses::test
