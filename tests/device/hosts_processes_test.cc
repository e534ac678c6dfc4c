// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Device tensors of four processes, on one host, where memory is mapped between them, or on two emulated ones, where
// images are. The GPU is each process itself, or one that all share (tests/gpu).
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "device/test_device.h"
#include "ulysses_coll.h"

namespace ulysses::test {
namespace {

constexpr int kProcesses = 4;
constexpr std::int64_t kLocalTokens = 3, kAllTokens = kProcesses * kLocalTokens, kAllHeads = 8, kRow = 24;

float numberOf(std::int64_t token, std::int64_t head, std::int64_t d) {
  return static_cast<float>(token * 1000 + head * 100 + d);
}

struct Setting {
  int hosts = 2;
  bool mapped = false;  // memory of cuMemMap
  bool destroys = true;
};

/// A process's shards, all of its sequence's heads and all of its heads' sequence, in device memory.
class Shards {
 public:
  Shards(int rank, bool mapped) : rank_(rank), device_(makeTestDevice()) {
    if (!mapped) allocated_ = DeviceMemory(device_->runtime(), device_->runtime().allocate(kBytes));
    memory_ = mapped ? device_->allocateMapped(kBytes) : allocated_.data();
  }
  static constexpr std::size_t kCount = kLocalTokens * kAllHeads * kRow, kBytes = 2 * kCount * sizeof(float);
  TestDevice& device() { return *device_; }
  float* sequence() const { return reinterpret_cast<float*>(memory_); }
  float* heads() const { return sequence() + kCount; }

  /// The sequence's numbers, and -1 for those of the heads.
  void fill(float round) {
    std::vector<float> numbers(2 * kCount, -1.0F);
    for (std::int64_t t = 0; t < kLocalTokens; ++t)
      for (std::int64_t h = 0; h < kAllHeads; ++h)
        for (std::int64_t d = 0; d < kRow; ++d)
          numbers[static_cast<std::size_t>((t * kAllHeads + h) * kRow + d)] =
              round + numberOf(rank_ * kLocalTokens + t, h, d);
    device_->runtime().write(memory_, numbers.data(), kBytes);
  }
  bool areGathered(float round) {
    device_->wait();
    const auto bytes = device_->read(memory_ + kBytes / 2, kBytes / 2);
    std::vector<float> numbers(kCount);
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    constexpr std::int64_t kHere = kAllHeads / kProcesses;
    for (std::int64_t t = 0; t < kAllTokens; ++t)
      for (std::int64_t h = 0; h < kHere; ++h)
        for (std::int64_t d = 0; d < kRow; ++d)
          if (numbers[static_cast<std::size_t>((t * kHere + h) * kRow + d)] !=
              round + numberOf(t, rank_ * kHere + h, d))
            return false;
    return true;
  }

 private:
  int rank_;
  std::unique_ptr<TestDevice> device_;
  DeviceMemory allocated_;
  std::byte* memory_ = nullptr;
};

int failed(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, ulyssesGetLastError(nullptr));
  return 1;
}

ulyssesResult_t scatter(ulyssesComm_t comm, Shards& shards) {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = kAllTokens;
  geometry.heads = kAllHeads;
  ulyssesTensor_t tensor{};
  tensor.headDim = kRow;
  tensor.dtype = ulyssesFloat32;
  tensor.input = shards.sequence();
  tensor.output = shards.heads();
  return ulyssesScatterHeads(&geometry, &tensor, 1, comm, shards.device().stream());
}

/// A call, three that nobody waits between, replays of a graph.
int exchange(ulyssesComm_t comm, Shards& shards) {
  float round = 0;
  shards.fill(round);
  if (scatter(comm, shards) != ulyssesSuccess) return failed("exchange");
  if (!shards.areGathered(round)) return 2;
  shards.fill(++round);
  for (int i = 0; i < 3; ++i)
    if (scatter(comm, shards) != ulyssesSuccess) return failed("exchange");
  if (!shards.areGathered(round)) return 3;
  ulyssesResult_t captured = ulyssesInternalError;
  shards.device().capture([&] { captured = scatter(comm, shards); });
  if (captured != ulyssesSuccess) return failed("capture");
  for (int i = 0; i < 5; ++i) {
    shards.fill(++round);
    shards.device().replay();
    if (!shards.areGathered(round)) return 4;
  }
  ulyssesResult_t error = ulyssesInternalError;
  if (ulyssesCommGetAsyncError(comm, &error) == ulyssesSuccess && error == ulyssesSuccess) return 0;
  std::fprintf(stderr, "%s\n", ulyssesGetLastError(comm));
  return 5;
}

/// On one host peers map the memory itself.
bool isStaged(ulyssesComm_t comm) {
  std::vector<char> dump(1 << 20);
  return ulyssesCommDump(comm, dump.data(), dump.size(), nullptr) != ulyssesSuccess ||
         std::strstr(dump.data(), "\"staged\":null") == nullptr;
}

int runRank(int rank, int idFd, const Setting& setting) {
  enterProcess(rank);
  setenv("ULYSSES_HOST_ID", rank * setting.hosts < kProcesses ? "test-host0" : "test-host1", 1);
  ulyssesUniqueId_t id;
  if (read(idFd, &id, sizeof(id)) != sizeof(id)) return 6;
  ulyssesComm_t comm = nullptr;
  if (ulyssesCommInitRank(&comm, kProcesses, &id, rank) != ulyssesSuccess) return failed("init");
  Shards shards(rank, setting.mapped);
  void* handle = nullptr;
  if (ulyssesCommRegister(comm, shards.sequence(), Shards::kBytes, &handle) != ulyssesSuccess)
    return failed("register");
  if (isStaged(comm) != (setting.hosts > 1)) return failed("staged");
  const int status = exchange(comm, shards);
  if (status != 0) std::fprintf(stderr, "rank %d: %d, %s\n", rank, status, ulyssesGetLastError(comm));
  if (!setting.destroys) std::exit(status);  // with what CUDA and UCX do then, while the communicator has its thread
  if (ulyssesCommDestroy(comm) != ulyssesSuccess) return failed("destroy");
  return status;
}

/// Processes are forked; of this one's threads they have none.
void runRanks(const Setting& setting) {
  setenv("ULYSSES_TIMEOUT_MS", "60000", 1);
  prepareProcesses(kProcesses);
  std::vector<std::pair<pid_t, int>> ranks;
  for (int rank = 0; rank < kProcesses; ++rank) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t pid = fork();
    if (pid == 0) _exit(runRank(rank, pipes[0], setting));
    ranks.emplace_back(pid, pipes[1]);
    close(pipes[0]);
  }
  ulyssesUniqueId_t id;
  ASSERT_EQ(ulyssesGetUniqueId(&id), ulyssesSuccess) << ulyssesGetLastError(nullptr);
  for (const auto& [pid, pipe] : ranks) ASSERT_EQ(write(pipe, &id, sizeof(id)), static_cast<ssize_t>(sizeof(id)));
  for (const auto& [pid, pipe] : ranks) {
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0) << "process " << pid;
    close(pipe);
  }
}

TEST(Processes, ScatterDeviceTensors) { runRanks({.hosts = 1}); }
TEST(Processes, ScatterDeviceTensorsInMappings) { runRanks({.hosts = 1, .mapped = true}); }
TEST(HostsOfProcesses, ScatterDeviceTensors) { runRanks({}); }
TEST(HostsOfProcesses, ScatterDeviceTensorsInMappings) { runRanks({.mapped = true}); }
TEST(HostsOfProcesses, MayExitWithoutDestroying) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "UCX takes its locks apart at exit while a thread of its own may hold them";
#else
  runRanks({.destroys = false});
#endif
}

}  // namespace
}  // namespace ulysses::test
