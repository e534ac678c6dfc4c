// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Device tensors of random geometries between emulated hosts of two ranks each, against the index map, byte for byte.
// All ranks are threads of this process and share a GPU, which is this process too.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "cpu_runtime.h"
#include "device_case.h"
#include "host_comms.h"
#include "test_device.h"

namespace ulysses::test {
namespace {

/// Calls fn(rank) for all ranks at once.
template <typename Fn>
void together(int nRanks, Fn&& fn) {
  std::vector<std::jthread> running;
  running.reserve(static_cast<std::size_t>(nRanks));
  for (int rank = 0; rank < nRanks; ++rank) running.emplace_back([&fn, rank] { fn(rank); });
}

Call callOf(const DeviceCase& run, int rank, std::byte* arena) {
  Call call;
  call.operation = run.run().operation;
  call.geometry = run.run().geometry();
  const auto& tensors = run.run().tensorsOf(rank);
  call.nTensors = static_cast<int>(tensors.size());
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    call.tensors[t] = {.headDim = tensors[t].headDim,
                       .type = tensors[t].type,
                       .kind = tensors[t].kind,
                       .inputLayout = Layout::Strided,
                       .outputLayout = Layout::Strided,
                       .inputStrides = tensors[t].input,
                       .outputStrides = tensors[t].output,
                       .sum = tensors[t].sum};
    call.memory.input[t] = arena + run.offsetOf(rank, t, true);
    call.memory.output[t] = arena + run.offsetOf(rank, t, false);
  }
  return call;
}

/// One rank of one case.
class RankOfCase {
 public:
  RankOfCase(Communicator& comm, const DeviceCase& run)
      : comm_(comm), run_(run), arena_(upload(gpu_, run.before(comm.rank()))) {
    const Communicator::Use use(comm_);
    handle_ = comm_.registerDevice(arena_.data(), std::ssize(run.before(comm.rank())), false);
  }
  ~RankOfCase() {
    stream_.wait();
    const Communicator::Use use(comm_);
    EXPECT_TRUE(comm_.deregisterDevice(handle_));
  }
  /// Twice, as it comes out the same: the second goes on behind the first without a host that waits.
  void enqueue() {
    const Communicator::Use use(comm_);
    for (int i = 0; i < 2; ++i) {
      std::uint64_t sequence = 0;
      EXPECT_EQ(comm_.start(callOf(run_, comm_.rank(), arena_.data()), {}, &stream_, &sequence), Result::Success)
          << comm_.exchange().lastError();
      EXPECT_EQ(sequence, 0u);
    }
  }
  /// "" when all of the arena is as it must be, gaps between rows included.
  std::string difference() {
    stream_.wait();
    const Bytes& expected = run_.after(comm_.rank());
    const auto at = std::mismatch(expected.begin(), expected.end(), arena_.data()).first;
    if (comm_.asyncError() != Result::Success) return comm_.lastError();
    return at == expected.end() ? "" : "byte " + std::to_string(at - expected.begin()) + " differs";
  }

 private:
  Communicator& comm_;
  const DeviceCase& run_;
  CpuRuntime gpu_;
  CpuStream stream_;
  DeviceMemory arena_;
  const void* handle_ = nullptr;
};

void runCase(const std::vector<std::unique_ptr<Communicator>>& comms, std::uint64_t seed) {
  const auto nRanks = static_cast<int>(comms.size());
  const DeviceCase run(nRanks, seed, 64, DeviceCase::Layouts::Orders);
  std::vector<std::string> differences(comms.size());
  together(nRanks, [&](int rank) {
    try {
      RankOfCase mine(*comms[static_cast<std::size_t>(rank)], run);
      mine.enqueue();
      differences[static_cast<std::size_t>(rank)] = mine.difference();
    } catch (const Error& error) {
      differences[static_cast<std::size_t>(rank)] = error.what();
    }
  });
  for (int rank = 0; rank < nRanks; ++rank)
    ASSERT_EQ(differences[static_cast<std::size_t>(rank)], "")
        << "rank " << rank << " of " << nRanks << ", seed " << seed << ", " << nameOf(run.run().operation) << ", "
        << toText(run.run().spec);
}

class DeviceHosts : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, DeviceHosts, testing::Values(3, 4, 6), testing::PrintToStringParamName());

TEST_P(DeviceHosts, RandomGeometriesAreTheOraclesBits) {
  std::vector<int> hosts;
  hosts.reserve(static_cast<std::size_t>(GetParam()));
  for (int rank = 0; rank < GetParam(); ++rank) hosts.push_back(rank / 2);
  const auto comms = makeHostComms(hosts, 60'000);
  ASSERT_TRUE(std::ranges::all_of(comms, [](const auto& comm) { return comm != nullptr; }));
  for (std::uint64_t seed = 0; seed < deviceCases() && !HasFatalFailure(); ++seed) runCase(comms, seed);
}

}  // namespace
}  // namespace ulysses::test
