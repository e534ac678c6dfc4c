// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The copies that surround an all-to-all of contiguous blocks: which a layout needs, and doing them. Shared by the
// comparisons over shared memory and over MPI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "case.h"
#include "moves.h"

namespace ulysses::perf {

// A contiguous piece of a buffer, in bytes.
struct Block {
  int64_t offset, bytes;
};

// One tensor's all-to-all as one rank sees it.
class Packing {
 public:
  Packing(const Case& test, int tensor, int rank);

  // The same at every rank: a copy is needed where the blocks of any rank are not contiguous.
  bool packs() const { return packs_; }
  bool unpacks() const { return unpacks_; }

  // What goes to or comes from a peer: in the packed buffer, or in the tensor itself when no copy is needed.
  Block sendBlock(int receiver) const { return sends_[static_cast<size_t>(receiver)]; }
  Block receiveBlock(int sender) const { return receives_[static_cast<size_t>(sender)]; }
  int64_t packedBytes() const;    // of the send buffer; 0: none
  int64_t receivedBytes() const;  // of the receive buffer; 0: none

  // What each block consists of, in the order of packing.
  const std::vector<Move>& outgoing(int receiver) const { return outgoing_[static_cast<size_t>(receiver)]; }
  const std::vector<Move>& incoming(int sender) const { return incoming_[static_cast<size_t>(sender)]; }

  void pack(const std::byte* input, std::byte* packed) const;
  void unpack(const std::byte* received, std::byte* output) const;  // and add up, where the tensor is summed

 private:
  // The partial values of one piece of the output: same shape from each of its senders.
  struct Sum {
    Move move;                     // its target side
    std::vector<int64_t> offsets;  // in the receive buffer
  };
  void addSums(const Case& test, int tensor, int rank);

  const DataType& type_;
  bool packs_ = false, unpacks_ = false;
  std::vector<Block> sends_, receives_;
  std::vector<std::vector<Move>> outgoing_, incoming_;  // by peer
  std::vector<Sum> sums_;
};

}  // namespace ulysses::perf
