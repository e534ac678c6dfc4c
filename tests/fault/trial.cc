// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/trial.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr std::size_t kGuard = 4096;
constexpr std::byte kCanary{0x5a};
// Room for calls that are spoiled to be larger: they must be valid but for the difference.
constexpr std::size_t kSlack = 8;

bool isUneven(const std::vector<std::int64_t>& counts) {
  return std::any_of(counts.begin(), counts.end(), [&](std::int64_t count) { return count != counts.front(); });
}

}  // namespace

std::int64_t nowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

Trial::Trial(int rank, int nRanks, TrialOptions options) : rank_(rank), nRanks_(nRanks), options_(std::move(options)) {
  const auto count = static_cast<std::size_t>(nRanks), own = static_cast<std::size_t>(rank);
  if (options_.tokens.empty()) options_.tokens.assign(count, kTokens);
  if (options_.heads.empty()) options_.heads.assign(count, kHeads);
  for (std::size_t r = 0; r < count; ++r) {
    if (r == own) firstToken_ = sequence_, firstHead_ = heads_;
    sequence_ += options_.tokens[r];
    heads_ += options_.heads[r];
  }
  const auto row = static_cast<std::size_t>(kBatch * kHeadDim) * sizeof(std::uint32_t);
  input_ = take(static_cast<std::size_t>(options_.tokens[own] * heads_) * row * kSlack + 2 * kGuard);
  try {
    output_ = take(static_cast<std::size_t>(sequence_ * options_.heads[own]) * row * kSlack + 2 * kGuard);
    reset();
  } catch (...) {
    give(input_);
    give(output_);
    throw;
  }
}

Trial::~Trial() {
  give(input_);
  give(output_);
}

Trial::Memory Trial::take(std::size_t bytes) const {
  void* begin = nullptr;
  if (options_.registered && ulyssesMemAlloc(&begin, bytes) != ulyssesSuccess)
    throw std::runtime_error("ulyssesMemAlloc: " + lastError());
  if (!options_.registered) begin = std::malloc(bytes);
  if (begin == nullptr) throw std::bad_alloc();
  return {static_cast<std::byte*>(begin), bytes};
}

void Trial::give(const Memory& memory) const {
  if (options_.registered)
    (void)ulyssesMemFree(memory.begin);
  else
    std::free(memory.begin);
}

void Trial::reset(int round) {
  round_ = round;
  op = ulyssesOpScatterHeads;
  geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = sequence_;
  geometry.batch = kBatch;
  geometry.heads = heads_;
  tokens = options_.tokens;
  queryHeads = options_.heads;
  if (isUneven(tokens)) geometry.tokens = tokens.data();
  if (isUneven(queryHeads)) geometry.queryHeads = queryHeads.data();
  std::byte* output = output_.begin + kGuard + options_.misalignment;
  for (std::size_t t = 0; t < std::size(tensors); ++t) {
    tensors[t] = {};
    tensors[t].input = input_.begin + kGuard + options_.misalignment;
    tensors[t].output = output + t * (output_.bytes - 2 * kGuard) / kSlack;
    tensors[t].headDim = kHeadDim;
    tensors[t].dtype = ulyssesInt32;
  }
  nTensors = 1;
  stream = nullptr;
  geometryPointer = &geometry;
  tensorsPointer = tensors;
  fillInput();
  std::memset(output_.begin, static_cast<int>(kCanary), output_.bytes);
}

std::uint32_t Trial::valueAt(std::int64_t token, std::int64_t batch, std::int64_t head, std::int64_t d) const {
  const auto place = static_cast<std::uint32_t>(((token * kBatch + batch) * heads_ + head) * kHeadDim + d);
  return (place + static_cast<std::uint32_t>(round_) * 0x01000193u) * 0x9e3779b1u;
}

void Trial::fillInput() {
  std::byte* to = input_.begin + kGuard + options_.misalignment;
  for (std::int64_t s = 0; s < options_.tokens[static_cast<std::size_t>(rank_)]; ++s)
    for (std::int64_t b = 0; b < kBatch; ++b)
      for (std::int64_t h = 0; h < heads_; ++h)
        for (std::int64_t d = 0; d < kHeadDim; ++d) {
          const std::uint32_t value = valueAt(firstToken_ + s, b, h, d);
          std::memcpy(to, &value, sizeof value);
          to += sizeof value;
        }
}

ulyssesResult_t Trial::call(ulyssesComm_t comm) const {
  const auto function = op == ulyssesOpScatterHeads ? ulyssesScatterHeads : ulyssesGatherHeads;
  return function(geometryPointer, tensorsPointer, nTensors, comm, stream);
}

ulyssesResult_t Trial::start(ulyssesComm_t comm, ulyssesRequest_t* request) const {
  const auto function = op == ulyssesOpScatterHeads ? ulyssesScatterHeadsStart : ulyssesGatherHeadsStart;
  return function(geometryPointer, tensorsPointer, nTensors, comm, stream, request);
}

bool Trial::isRight() const {
  const std::byte* at = output_.begin + kGuard + options_.misalignment;
  const std::byte* begin = at;
  for (std::int64_t token = 0; token < sequence_; ++token)
    for (std::int64_t b = 0; b < kBatch; ++b)
      for (std::int64_t h = 0; h < options_.heads[static_cast<std::size_t>(rank_)]; ++h)
        for (std::int64_t d = 0; d < kHeadDim; ++d) {
          const std::uint32_t value = valueAt(token, b, firstHead_ + h, d);
          if (std::memcmp(at, &value, sizeof value) != 0) return false;
          at += sizeof value;
        }
  for (const std::byte* byte = output_.begin; byte < begin; ++byte)
    if (*byte != kCanary) return false;
  for (const std::byte* byte = at; byte < output_.begin + output_.bytes; ++byte)
    if (*byte != kCanary) return false;
  return true;
}

bool Trial::isUntouched() const {
  for (const std::byte* byte = output_.begin; byte < output_.begin + output_.bytes; ++byte)
    if (*byte != kCanary) return false;
  return true;
}

std::string Trial::exchange(ulyssesComm_t comm, int round) {
  reset(round);
  const ulyssesResult_t result = call(comm);
  if (result != ulyssesSuccess) return "exchange: " + nameOf(result) + ": " + lastError();
  return isRight() ? "" : "exchange: wrong bytes in or around the output";
}

}  // namespace ulysses::test
