// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A C++ program against the installed library: each rank is a thread; there and back again gives what it started with.
#include <ulysses_coll.h>

#include <array>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

constexpr int kRanks = 2;
constexpr int64_t kTokens = 6, kHeads = 4, kHeadDim = 8;
constexpr int64_t kElements = kTokens * kHeads * kHeadDim / kRanks;  // of a rank, on either side

// Element d of head h of token t of the whole sequence.
int32_t valueAt(int64_t t, int64_t h, int64_t d) { return static_cast<int32_t>((t * kHeads + h) * kHeadDim + d); }

// [tokens, heads, kHeadDim] of the whole sequence, from firstToken and firstHead on.
std::vector<int32_t> block(int64_t firstToken, int64_t tokens, int64_t firstHead, int64_t heads) {
  std::vector<int32_t> values;
  for (int64_t t = firstToken; t < firstToken + tokens; ++t) {
    for (int64_t h = firstHead; h < firstHead + heads; ++h) {
      for (int64_t d = 0; d < kHeadDim; ++d) values.push_back(valueAt(t, h, d));
    }
  }
  return values;
}

ulyssesTensor_t describe(const std::vector<int32_t>& input, std::vector<int32_t>& output) {
  ulyssesTensor_t tensor{};
  tensor.input = input.data();
  tensor.output = output.data();
  tensor.headDim = kHeadDim;
  tensor.dtype = ulyssesInt32;
  return tensor;
}

bool exchange(ulyssesComm_t comm, int rank) {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = kTokens;
  geometry.heads = kHeads;
  const std::vector<int32_t> start = block(rank * kTokens / kRanks, kTokens / kRanks, 0, kHeads);
  std::vector<int32_t> scattered(kElements), back(kElements);
  const ulyssesTensor_t there = describe(start, scattered), home = describe(scattered, back);
  if (ulyssesScatterHeads(&geometry, &there, 1, comm, nullptr) != ulyssesSuccess ||
      ulyssesGatherHeads(&geometry, &home, 1, comm, nullptr) != ulyssesSuccess) {
    std::printf("rank %d: %s\n", rank, ulyssesGetLastError(nullptr));
    return false;
  }
  return scattered == block(0, kTokens, rank * kHeads / kRanks, kHeads / kRanks) && back == start;
}

}  // namespace

int main() {
  int version = 0;
  if (ulyssesGetVersion(&version) != ulyssesSuccess || version != ULYSSES_VERSION_CODE) return 2;
  std::array<ulyssesComm_t, kRanks> comms{};
  if (ulyssesCommInitAll(comms.data(), kRanks, nullptr) != ulyssesSuccess) return 3;
  std::array<bool, kRanks> good{};
  std::thread peer([&] { good[1] = exchange(comms[1], 1); });
  good[0] = exchange(comms[0], 0);
  peer.join();
  for (ulyssesComm_t comm : comms) {
    if (ulyssesCommDestroy(comm) != ulyssesSuccess) return 4;
  }
  return good[0] && good[1] ? 0 : 5;
}
