// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "cpu_runtime.h"
#include "process_pages.h"
#include "test_device.h"

namespace ulysses::test {
namespace {

class CpuDevice : public TestDevice {
 public:
  ~CpuDevice() override {
    stream_.wait();
    if (mapped_ != nullptr) runtime_.free(mapped_);
  }
  DeviceRuntime& runtime() override { return runtime_; }
  void* stream() override { return &stream_; }
  void wait() override { stream_.wait(); }
  void capture(const std::function<void()>& enqueues) override {
    stream_.beginCapture(graph_);
    enqueues();
    stream_.endCapture();
  }
  void replay() override { stream_.launch(graph_); }
  std::vector<std::byte> read(const std::byte* from, std::size_t bytes) override { return {from, from + bytes}; }
  std::byte* allocateMapped(std::int64_t bytes) override {
    constexpr std::int64_t kPage = 4096;
    mapped_ = runtime_.allocateExportable((bytes / kPage + 2) * kPage, kPage);
    return mapped_ + kPage - 512;
  }

 private:
  CpuRuntime runtime_;
  CpuStream stream_;
  CpuGraph graph_;
  std::byte* mapped_ = nullptr;
};

std::unique_ptr<ProcessPages> pages;

class NothingIsLeft : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo&) override {
    CpuRuntime::letCopiesRace(false);
    EXPECT_EQ(CpuRuntime::held(), 0u) << "device memory was not freed";
    EXPECT_EQ(CpuRuntime::spoiled(), 0u) << "device memory was written to after it was freed";
  }
};
const bool listens = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new NothingIsLeft);
  return true;
}();

}  // namespace

std::unique_ptr<TestDevice> makeTestDevice() { return std::make_unique<CpuDevice>(); }

void prepareProcesses(int nRanks) { pages = std::make_unique<ProcessPages>(nRanks); }
void enterProcess(int rank) { pages->give(rank); }

void letCopiesRace() { CpuRuntime::letCopiesRace(true); }

std::uint64_t deviceCases() {
  const char* const text = std::getenv("ULYSSES_TEST_CASES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) / 50 + 1 : 40;
}

}  // namespace ulysses::test
