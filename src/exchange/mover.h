// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "exchange/pending.h"
#include "exchange/seal.h"
#include "exchange/stage.h"
#include "path/path.h"

namespace ulysses {

/// Moves the bytes of one operation at a time: strided copies from what can be read in place, chunks packed for and
/// unpacked from the peers otherwise, replica sums from either. All memory is taken at construction.
class Mover {
 public:
  Mover(int rank, std::span<Path* const> paths);

  /// Throws Error when a peer's memory cannot be had. `refs[peer]`: the peer's announced tensors.
  void begin(Pending& operation, std::span<const TensorRef* const> refs);
  /// Does a bounded piece of work; false when there was nothing to do for now.
  bool step();
  /// A peer's tensor, or null when it comes in chunks; of the operation that moves.
  const std::byte* inPlace(int peer, int tensor) const { return isStaged(peer, tensor) ? nullptr : base(peer, tensor); }
  /// Hashes what chunks bring for sums, for the check at the end; null: none wanted.
  void hashSummandsInto(SummandHashes* hashes) { summandHashes_ = hashes; }
  bool done() const { return nextDirect_ == nRanks_ && openSums_ == 0 && openSends_ == 0 && openReceives_ == 0; }

 private:
  struct Send {
    StageCursor cursor;
    std::span<std::byte> chunk;
    bool filled = false;  // the chunk holds something
    bool open = false;
  };
  struct Receive {
    StageCursor cursor;
    std::span<const std::byte> chunk;
    bool open = false;
  };

  bool isStaged(int peer, int tensor) const { return staged_[static_cast<size_t>(peer)] >> tensor & 1; }
  const std::byte* base(int peer, int tensor) const {
    return bases_[static_cast<size_t>(peer) * kMaxTensors + static_cast<size_t>(tensor)];
  }
  void openStreams(std::span<const TensorRef* const> refs);
  void openRelays(int peer);
  bool stepDirect();
  void copyFrom(int peer);
  bool isMerged(size_t place, int tensor) const {
    return call_->interleaves(place) && !(stagedAnywhere_ >> tensor & 1);
  }
  bool stepMerged();
  void mergeFromAll(size_t place);
  bool stepSums();
  bool stepSend(int peer);
  bool stepReceive(int peer);
  std::optional<StagePiece> peekReceive(int peer);
  void advanceReceive(int peer, const StagePiece& piece);
  bool holdChunk(int peer);
  std::span<const std::byte> rowsInPlace(int peer, const StagePiece& piece) const;
  bool fill(const Streams::Send& send, const StagePiece& piece, std::byte* to);
  void pack(const Box& box, const View& view, const std::byte* from, const StagePiece& piece, std::byte* to);
  bool haveAll(const Streams::Transit& transit, const StagePiece& piece);
  void passOn(const Streams::Send& send, const Streams::Source& from, const StagePiece& piece, std::byte* to);
  void sumForHost(const Streams::Send& send, const Streams::Transit& sum, const StagePiece& piece, std::byte* to);
  void unpack(const Box& box, const StagePiece& piece, const std::byte* from);
  bool sumStaged(const SumUnit& unit, const StagePiece& piece);
  void hashSummands(const SumUnit& unit, const StagePiece& piece);
  bool allStagedAt(const SumUnit& unit, const StagePiece& piece);
  void findSummands(const SumUnit& unit, int64_t firstRowInChunks);
  struct SumTarget {
    std::byte* data;                   // of token 0, batch 0
    int64_t tokenStride, batchStride;  // bytes
  };
  void sumRows(const SumUnit& unit, int64_t rowBegin, int64_t rowEnd);
  void sumRows(const SumTarget& target, int32_t sources, const TensorSpec& tensor, int64_t rowBegin, int64_t rowEnd,
               kernels::Store store);
  bool hasStagedSource(const SumUnit& unit) const;

  int rank_, nRanks_;
  std::vector<Path*> paths_;  // [nRanks]; null for this rank
  Pending* operation_ = nullptr;
  const PreparedCall* call_ = nullptr;
  std::vector<uint32_t> staged_;         // [nRanks] tensors that the peer stages for us, as bits
  uint32_t stagedAnywhere_ = 0;          // any of them
  std::vector<const std::byte*> bases_;  // [nRanks][kMaxTensors] inputs that are read in place
  std::vector<Send> sends_;              // [nRanks]
  std::vector<Receive> receives_;        // [nRanks]
  std::vector<int64_t> rowsCome_;        // by receive of the plan: of what is passed on from the output
  struct Summand {
    const std::byte* data;
    int64_t tokenStride, batchStride;  // bytes; data is at token 0, batch 0 of the unit
  };
  std::vector<Summand> summands_;             // [nRanks] scratch of one sum
  std::vector<kernels::SourceRows> sources_;  // [nRanks] scratch of one kernel call
  std::vector<kernels::RowPiece> pieces_;     // [nRanks] likewise
  SummandHashes* summandHashes_ = nullptr;
  size_t nextMerged_ = 0;
  int nextDirect_ = 0, openSends_ = 0, openReceives_ = 0;
  int64_t nextSum_ = 0, openSums_ = 0;
};

}  // namespace ulysses
