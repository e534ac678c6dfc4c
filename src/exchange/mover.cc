// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange/mover.h"

#include "base/fault_point.h"

namespace ulysses {

Mover::Mover(int rank, std::span<Path* const> paths)
    : rank_(rank), nRanks_(static_cast<int>(paths.size())), paths_(paths.begin(), paths.end()) {
  staged_.resize(paths.size());
  bases_.resize(paths.size() * kMaxTensors);
  sends_.resize(paths.size());
  receives_.resize(paths.size());
  sources_.resize(paths.size());
  summands_.resize(paths.size());
  pieces_.resize(paths.size());
}

void Mover::begin(Pending& operation, std::span<const TensorRef* const> refs) {
  operation_ = &operation;
  call_ = operation.call;
  for (int t = 0; t < call_->nTensors(); ++t)
    bases_[static_cast<size_t>(rank_) * kMaxTensors + static_cast<size_t>(t)] = operation.memory.input[t];
  staged_[static_cast<size_t>(rank_)] = 0;
  if (call_->streams().passesOn()) rowsCome_.assign(call_->plan().receives().size(), 0);  // keeps its room
  openStreams(refs);
  nextDirect_ = 0;
  nextMerged_ = 0;
  nextSum_ = 0;
  openSums_ = 0;
  for (const SumUnit& unit : call_->plan().sumUnits()) openSums_ += !hasStagedSource(unit);
}

void Mover::openStreams(std::span<const TensorRef* const> refs) {
  openSends_ = openReceives_ = 0;
  stagedAnywhere_ = 0;
  for (int peer = 0; peer < nRanks_; ++peer) {
    if (peer == rank_) continue;
    const size_t p = static_cast<size_t>(peer);
    Path& path = *paths_[p];
    uint32_t in = 0, out = 0;
    for (int t = 0; t < call_->nTensors(); ++t) {
      const Extent& extent = call_->peerExtent(peer, t);
      if (!path.mappable(peer, operation_->refs[t])) out |= 1u << t;
      const bool isMapped = path.mappable(peer, refs[p][t]);
      if (!isMapped) in |= 1u << t;
      if (extent.end <= extent.begin) continue;
      if (!isMapped && !call_->streams().receivesFrom(peer).empty()) path.requireChunks(peer);
      if (isMapped) bases_[p * kMaxTensors + static_cast<size_t>(t)] = path.map(peer, refs[p][t], extent);
    }
    staged_[p] = in;
    stagedAnywhere_ |= in;
    sends_[p].open = out != 0;
    receives_[p].open = in != 0;
    if (call_->streams().passesOn()) openRelays(peer);
    sends_[p].cursor.reset(out, path.chunkBytes());
    receives_[p].cursor.reset(in, path.chunkBytes());
    openSends_ += sends_[p].open;
    openReceives_ += receives_[p].open;
  }
}

void Mover::openRelays(int peer) {
  const auto p = static_cast<size_t>(peer);
  if (call_->streams().receivesAlways(peer)) paths_[p]->requireChunks(peer);
  sends_[p].open |= call_->streams().sendsAlways(peer);
  receives_[p].open |= call_->streams().receivesAlways(peer);
}

/// Chunks first, so that peers are kept busy while this rank copies.
bool Mover::step() {
  bool moved = false;
  for (int i = 1; i < nRanks_ && openSends_ + openReceives_ > 0; ++i) {
    const int peer = (rank_ + i) % nRanks_;
    if (sends_[static_cast<size_t>(peer)].open) moved |= stepSend(peer);
    if (receives_[static_cast<size_t>(peer)].open) moved |= stepReceive(peer);
  }
  return stepDirect() || moved;
}

/// What goes into the same rows from all ranks, then own share, then the peers from the next rank on, so that ranks do
/// not all read the same one.
bool Mover::stepDirect() {
  if (nextDirect_ == nRanks_) return stepSums();
  if (stepMerged()) return true;
  copyFrom((rank_ + nextDirect_) % nRanks_);
  ++nextDirect_;
  return true;
}

void Mover::copyFrom(int peer) {
  const auto receives = call_->plan().receivesFrom(peer);
  const auto copies = call_->copiesFrom(peer);
  for (size_t i = 0; i < receives.size(); ++i) {
    const Copy& copy = copies[i];
    if (receives[i].unit >= 0 || isStaged(peer, copy.tensor) || isMerged(i, copy.tensor)) continue;
    const std::byte* src = base(peer, copy.tensor);
    std::byte* dst = operation_->memory.output[copy.tensor];
    forEachRowBlock(copy, [&](int64_t srcOffset, int64_t dstOffset) {
      kernels::copyRows(
          {dst + dstOffset, copy.dstStride[3], src + srcOffset, copy.srcStride[3], copy.n[3], copy.runBytes},
          operation_->store);
    });
    if (faultPoint("copy.made")) operation_->memory.output[copy.tensor][copy.dstOffset] ^= std::byte{1};  // fail: so
  }
}

bool Mover::stepMerged() {
  for (; nextMerged_ < call_->interleavedPlaces(); ++nextMerged_) {
    if (!isMerged(nextMerged_, call_->copiesFrom(rank_)[nextMerged_].tensor)) continue;
    mergeFromAll(nextMerged_++);
    return true;
  }
  return false;
}

void Mover::mergeFromAll(size_t place) {
  const Copy& rows = call_->copiesFrom(rank_)[place];
  std::byte* output = operation_->memory.output[rows.tensor];
  forEachIndex(rows, [&](int64_t i, int64_t j, int64_t k) {
    for (int peer = 0; peer < nRanks_; ++peer) {
      const Copy& copy = call_->copiesFrom(peer)[place];
      pieces_[static_cast<size_t>(peer)] = {output + copy.dstAt(i, j, k), base(peer, copy.tensor) + copy.srcAt(i, j, k),
                                            copy.srcStride[3], copy.runBytes};
    }
    kernels::mergeRows({pieces_, rows.dstStride[3], rows.n[3]}, operation_->store);
  });
}

bool Mover::hasStagedSource(const SumUnit& unit) const {
  for (const SumSource& source : call_->plan().sumSources(unit))
    if (isStaged(source.rank, unit.box.tensor)) return true;
  return false;
}

/// Sums whose summands can all be read in place; the others are done as their chunks come.
bool Mover::stepSums() {
  const auto units = call_->plan().sumUnits();
  while (nextSum_ < std::ssize(units) && hasStagedSource(units[static_cast<size_t>(nextSum_)])) ++nextSum_;
  if (nextSum_ >= std::ssize(units)) return false;
  const SumUnit& unit = units[static_cast<size_t>(nextSum_++)];
  findSummands(unit, 0);
  sumRows(unit, 0, unit.box.rows(call_->plan().geometry().batch));
  --openSums_;
  return true;
}

/// Where each summand of a unit starts. A chunk holds packed rows from `firstRowInChunks` on: its pointer is moved back
/// to where the unit's first row would be, so that both kinds are addressed alike.
void Mover::findSummands(const SumUnit& unit, int64_t firstRowInChunks) {
  const Plan& plan = call_->plan();
  const int64_t rowBytes = plan.tensors()[static_cast<size_t>(unit.box.tensor)].rowBytes();
  Summand* out = summands_.data();
  for (const SumSource& source : plan.sumSources(unit)) {
    if (isStaged(source.rank, unit.box.tensor)) {
      const std::byte* chunk = receives_[static_cast<size_t>(source.rank)].chunk.data();
      *out++ = {chunk + peekReceive(source.rank)->chunkOffset - firstRowInChunks * rowBytes,
                plan.geometry().batch * rowBytes, rowBytes};
    } else {
      const View view = call_->peerView(source.rank, plan.receives()[static_cast<size_t>(source.receive)].box);
      *out++ = {base(source.rank, unit.box.tensor) + view.offset, view.stride[0], view.stride[1]};
    }
  }
}

void Mover::sumRows(const SumUnit& unit, int64_t rowBegin, int64_t rowEnd) {
  const Plan& plan = call_->plan();
  const View out = plan.destinationView(unit.box);
  sumRows({operation_->memory.output[unit.box.tensor] + out.offset, out.stride[0], out.stride[1]}, unit.sourceCount,
          plan.tensors()[static_cast<size_t>(unit.box.tensor)], rowBegin, rowEnd, operation_->store);
}

/// Of the first `sources` summands. Rows in the canonical order (token, then batch): for each batch a run of tokens
/// where whole tokens are there, else one row at a time of the broken token.
void Mover::sumRows(const SumTarget& target, int32_t sources, const TensorSpec& tensor, int64_t rowBegin,
                    int64_t rowEnd, kernels::Store store) {
  const int64_t batch = call_->plan().geometry().batch;
  const std::span rows = std::span(sources_).first(static_cast<size_t>(sources));
  const auto sumRun = [&](int64_t token, int64_t b, int64_t tokens) {
    for (size_t i = 0; i < rows.size(); ++i)
      rows[i] = {summands_[i].data + token * summands_[i].tokenStride + b * summands_[i].batchStride,
                 summands_[i].tokenStride};
    kernels::sumRows({target.data + token * target.tokenStride + b * target.batchStride, target.tokenStride, rows,
                      tokens, tensor.headDim, tensor.type},
                     store);
  };
  while (rowBegin < rowEnd) {
    const int64_t token = rowBegin / batch, b = rowBegin % batch;
    const int64_t whole = b == 0 ? (rowEnd - rowBegin) / batch : 0;
    for (int64_t i = 0; i < (whole ? batch : 1); ++i) sumRun(token, b + i, whole ? whole : 1);
    rowBegin += whole ? whole * batch : 1;
  }
}

}  // namespace ulysses
