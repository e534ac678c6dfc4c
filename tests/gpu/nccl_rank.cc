// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "nccl_rank.h"

#include <sched.h>

#include <utility>

#include "nccl_meeting.h"

namespace ulysses::nccl_check {
namespace {

/// Tells the rank and the place; sums of them wrap, as NCCL's do.
uint32_t word(int rank, size_t index) {
  return static_cast<uint32_t>(rank + 1) * 1'000'003U + static_cast<uint32_t>(index) * 2'654'435'761U;
}

std::vector<uint32_t> wordsOf(int rank, size_t count) {
  std::vector<uint32_t> words(count);
  for (size_t i = 0; i < count; ++i) words[i] = word(rank, i);
  return words;
}

void compare(const char* what, size_t count, const std::vector<uint32_t>& got,
             const std::function<uint32_t(size_t)>& want) {
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != want(i))
      throw std::runtime_error(std::string(what) + " of " + std::to_string(count) + " words: word " +
                               std::to_string(i) + " is " + std::to_string(got[i]) + ", want " +
                               std::to_string(want(i)));
}

void finish(Rank& rank, const char* what) { rank.nccl().require(rank.wait(), what, rank.comm()); }

}  // namespace

void requireCuda(cudaError_t result, const char* call) {
  if (result != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(result));
}

DeviceWords::DeviceWords(const std::vector<uint32_t>& words) : count_(words.size()) {
  requireCuda(cudaMalloc(reinterpret_cast<void**>(&data_), count_ * sizeof(uint32_t)), "cudaMalloc");
  requireCuda(cudaMemcpy(data_, words.data(), count_ * sizeof(uint32_t), cudaMemcpyHostToDevice), "cudaMemcpy");
}

DeviceWords::~DeviceWords() { static_cast<void>(cudaFree(data_)); }

std::vector<uint32_t> DeviceWords::read() const {
  std::vector<uint32_t> words(count_);
  requireCuda(cudaMemcpy(words.data(), data_, count_ * sizeof(uint32_t), cudaMemcpyDeviceToHost), "cudaMemcpy");
  return words;
}

Rank::Rank(const Nccl& nccl, Meeting& meeting, int rank, int nRanks) : nccl_(nccl), rank_(rank), nRanks_(nRanks) {
  if (rank == 0) nccl.require(nccl.ncclGetUniqueId(&meeting.id), "ncclGetUniqueId");
  meeting.meet();
  const UniqueId id = meeting.id;
  requireCuda(cudaSetDevice(0), "cudaSetDevice");
  requireCuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  nccl.require(nccl.ncclCommInitRank(&comm_, nRanks, id, rank), "ncclCommInitRank");
  meeting.meet();
}

Rank::~Rank() {
  if (comm_) nccl_.ncclCommDestroy(comm_);
  static_cast<void>(cudaStreamDestroy(stream_));
}

int Rank::wait() {
  while (true) {
    const cudaError_t state = cudaStreamQuery(stream_);
    if (state == cudaSuccess) return kSuccess;
    if (state != cudaErrorNotReady) requireCuda(state, "cudaStreamQuery");
    int error = kSuccess;
    nccl_.require(nccl_.ncclCommGetAsyncError(comm_, &error), "ncclCommGetAsyncError", comm_);
    if (error != kSuccess && error != kInProgress) return error;
    sched_yield();
  }
}

void Rank::abort() { nccl_.require(nccl_.ncclCommAbort(std::exchange(comm_, nullptr)), "ncclCommAbort"); }

void checkAllReduce(Rank& rank, size_t count) {
  const DeviceWords from(wordsOf(rank.rank(), count)), to(std::vector<uint32_t>(count, 7));
  rank.nccl().require(rank.nccl().ncclAllReduce(from.data(), to.data(), count, NcclType::Uint32, NcclOp::Sum,
                                                rank.comm(), rank.stream()),
                      "ncclAllReduce", rank.comm());
  finish(rank, "all-reduce");
  compare("all-reduce", count, to.read(), [&](size_t i) {
    uint32_t sum = 0;
    for (int peer = 0; peer < rank.nRanks(); ++peer) sum += word(peer, i);
    return sum;
  });
}

void checkAllGather(Rank& rank, size_t count) {
  const auto nRanks = static_cast<size_t>(rank.nRanks());
  const DeviceWords from(wordsOf(rank.rank(), count)), to(std::vector<uint32_t>(nRanks * count, 7));
  rank.nccl().require(
      rank.nccl().ncclAllGather(from.data(), to.data(), count, NcclType::Uint32, rank.comm(), rank.stream()),
      "ncclAllGather", rank.comm());
  finish(rank, "all-gather");
  compare("all-gather", count, to.read(), [&](size_t i) { return word(static_cast<int>(i / count), i % count); });
}

/// As NCCL's own: sends and receives of a group.
void checkAllToAll(Rank& rank, size_t count) {
  const Nccl& nccl = rank.nccl();
  const auto nRanks = static_cast<size_t>(rank.nRanks());
  const DeviceWords from(wordsOf(rank.rank(), nRanks * count)), to(std::vector<uint32_t>(nRanks * count, 7));
  nccl.require(nccl.ncclGroupStart(), "ncclGroupStart");
  for (size_t peer = 0; peer < nRanks; ++peer) {
    nccl.require(nccl.ncclSend(from.data() + peer * count, count, NcclType::Uint32, static_cast<int>(peer), rank.comm(),
                               rank.stream()),
                 "ncclSend", rank.comm());
    nccl.require(nccl.ncclRecv(to.data() + peer * count, count, NcclType::Uint32, static_cast<int>(peer), rank.comm(),
                               rank.stream()),
                 "ncclRecv", rank.comm());
  }
  nccl.require(nccl.ncclGroupEnd(), "ncclGroupEnd", rank.comm());
  finish(rank, "all-to-all");
  const auto mine = static_cast<size_t>(rank.rank()) * count;
  compare("all-to-all", count, to.read(),
          [&](size_t i) { return word(static_cast<int>(i / count), mine + i % count); });
}

}  // namespace ulysses::nccl_check
