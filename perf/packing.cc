// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "packing.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "replica_sum.h"

namespace ulysses::perf {
namespace {

int64_t totalBytes(const std::vector<Move>& moves) {
  int64_t bytes = 0;
  for (const Move& move : moves) bytes += move.total();
  return bytes;
}

// Where the runs start when they follow each other without a gap in the order of packing; nullopt when they do not.
template <typename OffsetOf>
std::optional<int64_t> contiguousStart(const std::vector<Move>& moves, OffsetOf offsetOf) {
  std::optional<int64_t> start, next;
  bool isContiguous = true;
  for (const Move& move : moves) {
    forEachRun(move, [&](int64_t source, int64_t target, int64_t bytes) {
      const int64_t offset = offsetOf(source, target);
      if (!start) start = next = offset;
      isContiguous = isContiguous && *next == offset;
      *next += bytes;
    });
  }
  if (!isContiguous) return std::nullopt;
  return start.value_or(0);
}

std::optional<int64_t> sourceStart(const std::vector<Move>& moves) {
  return contiguousStart(moves, [](int64_t source, int64_t) { return source; });
}

std::optional<int64_t> targetStart(const std::vector<Move>& moves) {
  return contiguousStart(moves, [](int64_t, int64_t target) { return target; });
}

// Blocks of a packed buffer, one behind the other.
std::vector<Block> consecutive(const std::vector<std::vector<Move>>& moves) {
  std::vector<Block> blocks;
  int64_t offset = 0;
  for (const std::vector<Move>& ofPeer : moves) {
    blocks.push_back({offset, totalBytes(ofPeer)});
    offset += blocks.back().bytes;
  }
  return blocks;
}

int64_t endOf(const std::vector<Block>& blocks) { return blocks.back().offset + blocks.back().bytes; }

}  // namespace

Packing::Packing(const Case& test, int tensor, int rank) : type_(*test.type) {
  const bool sums = test.tensors[static_cast<size_t>(tensor)].sum;
  for (int sender = 0; sender < test.ranks; ++sender) {
    for (int receiver = 0; receiver < test.ranks; ++receiver) {
      const std::vector<Move> moves = movesBetween(test, tensor, sender, receiver);
      packs_ = packs_ || !sourceStart(moves);
      unpacks_ = unpacks_ || sums || !targetStart(moves);
      if (sender == rank) outgoing_.push_back(moves);
      if (receiver == rank) incoming_.push_back(moves);
    }
  }
  sends_ = consecutive(outgoing_);
  receives_ = consecutive(incoming_);
  for (size_t peer = 0; peer < outgoing_.size(); ++peer) {
    if (!packs_) sends_[peer].offset = *sourceStart(outgoing_[peer]);
    if (!unpacks_) receives_[peer].offset = *targetStart(incoming_[peer]);
  }
  if (sums) addSums(test, tensor, rank);
}

int64_t Packing::packedBytes() const { return packs_ ? endOf(sends_) : 0; }
int64_t Packing::receivedBytes() const { return unpacks_ ? endOf(receives_) : 0; }

void Packing::pack(const std::byte* input, std::byte* packed) const {
  for (const std::vector<Move>& ofPeer : outgoing_) {
    for (const Move& move : ofPeer) {
      forEachRun(move, [&](int64_t source, int64_t, int64_t bytes) {
        std::memcpy(packed, input + source, static_cast<size_t>(bytes));
        packed += bytes;
      });
    }
  }
}

void Packing::addSums(const Case& test, int tensor, int rank) {
  for (int64_t head = 0; head < test.fullHeads(tensor); ++head) {
    const std::vector<int> holders = test.holders(tensor, head);
    if (holders.empty()) continue;
    const std::vector<Move> shape = movesOfHeads(test, tensor, holders.front(), rank, head, 1);
    const int64_t headBytes = totalBytes(shape);
    std::vector<int64_t> offsets;
    offsets.reserve(holders.size());
    for (const int holder : holders) {  // blocks are head by head
      offsets.push_back(receiveBlock(holder).offset + (head - test.headBegin(tensor, holder)) * headBytes);
    }
    for (const Move& move : shape) {
      sums_.push_back({move, offsets});
      for (int64_t& offset : offsets) offset += move.total();
    }
  }
}

void Packing::unpack(const std::byte* received, std::byte* output) const {
  for (const Sum& sum : sums_) {
    std::vector<const std::byte*> sources;
    for (const int64_t offset : sum.offsets) sources.push_back(received + offset);
    forEachRun(sum.move, [&](int64_t, int64_t target, int64_t bytes) {
      sumElements(type_, sources, output + target, bytes / type_.bytes);
      for (const std::byte*& source : sources) source += bytes;
    });
  }
  if (!sums_.empty()) return;
  for (const std::vector<Move>& ofPeer : incoming_) {
    for (const Move& move : ofPeer) {
      forEachRun(move, [&](int64_t, int64_t target, int64_t bytes) {
        std::memcpy(output + target, received, static_cast<size_t>(bytes));
        received += bytes;
      });
    }
  }
}

}  // namespace ulysses::perf
