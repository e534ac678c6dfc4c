// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange/prepared_call.h"

#include <algorithm>
#include <cstdlib>

#include "base/hash.h"

namespace ulysses {
namespace {

/// Of everything that ranks must agree on exactly. The dimension orders are left out: ranks with a dimension of extent
/// 1 cannot tell theirs, so the verdict compares them by sameOrder.
uint64_t hashOfAgreed(const CallRecord& record, const Geometry& geometry) {
  CallRecord agreed = record;
  for (TensorRecord& tensor : agreed.tensors) {
    tensor.input = {};
    tensor.inputOrder = tensor.outputOrder = 0;
  }
  uint64_t hash = hashBytes(&agreed, sizeof agreed, kWireVersion);
  hash = hashBytes(geometry.tokens.data(), geometry.tokens.size_bytes(), hash);
  return hashBytes(geometry.queryHeads.data(), geometry.queryHeads.size_bytes(), hash);
}

/// Of what may differ and readers need to know: strides, and the orders that are compared loosely.
uint64_t hashOfStrides(const CallRecord& record) {
  uint64_t hash = 1;
  for (const TensorRecord& tensor : record.tensors) {
    const int64_t own[] = {tensor.input.sequence, tensor.input.batch, tensor.input.group,
                           tensor.input.head,     tensor.inputOrder,  tensor.outputOrder};
    hash = hashBytes(own, sizeof own, hash);
  }
  return hash | 1;  // 0 means not bound
}

}  // namespace

PreparedCall::PreparedCall(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors, int rank,
                           uint64_t recordId, std::span<const int> hosts, Crossing crossing)
    : plan_(operation, geometry, tensors, rank),
      streams_(plan_, hosts, hosts.empty() ? Crossing::Flat : chooseCrossing(plan_, hosts, crossing)),
      recordId_(recordId) {
  const size_t pairs = static_cast<size_t>(plan_.nRanks()) * tensors.size();
  boundHash_.assign(static_cast<size_t>(plan_.nRanks()), 0);
  strides_.resize(pairs);
  extents_.resize(pairs);
  copies_.resize(plan_.receives().size());
  for (int t = 0; t < nTensors(); ++t)
    outputExtents_.push_back(extentOf("output", shape(plan_.destinationSide(), t),
                                      tensors[static_cast<size_t>(t)].output,
                                      sizeOf(tensors[static_cast<size_t>(t)].type)));
  bool sameLength = plan_.nRanks() > 1;
  for (int r = 0; r < plan_.nRanks(); ++r) sameLength &= plan_.receivesFrom(r).size() == plan_.receivesFrom(0).size();
  if (sameLength) interleaved_.resize(plan_.receivesFrom(0).size());
  fillRecord();
  fillSummary();
  callHash_ = hashOfAgreed(record_, plan_.geometry());
  strideHash_ = hashOfStrides(record_);
  bind(rank, strideHash_, record_);
}

Shape PreparedCall::shape(Side side, int tensor) const {
  return shardShape(plan_.geometry(), plan_.distribution(), plan_.tensors()[static_cast<size_t>(tensor)], side,
                    plan_.rank());
}

void PreparedCall::fillRecord() {
  const Geometry& g = plan_.geometry();
  record_.operation = static_cast<int32_t>(plan_.operation());
  record_.nTensors = nTensors();
  record_.order = static_cast<int32_t>(g.order);
  record_.sequence = g.sequence;
  record_.batch = g.batch;
  record_.heads = g.heads;
  record_.kvHeads = g.kvHeads;
  record_.nSequences = g.cuSeqlens.empty() ? 0 : std::ssize(g.cuSeqlens) - 1;
  record_.cuSeqlensHash = g.cuSeqlens.empty() ? 0 : hashBytes(g.cuSeqlens.data(), g.cuSeqlens.size_bytes(), 1);
  record_.tag = g.tag;
  record_.explicitTokens = !g.tokens.empty();
  record_.explicitQueryHeads = !g.queryHeads.empty();
  for (int t = 0; t < nTensors(); ++t) {
    const TensorSpec& tensor = plan_.tensors()[static_cast<size_t>(t)];
    TensorRecord& out = record_.tensors[t];
    out.type = static_cast<int32_t>(tensor.type);
    out.kind = static_cast<int32_t>(tensor.kind);
    out.sum = tensor.sum;
    out.headDim = tensor.headDim;
    out.input = tensor.input;
    out.inputOrder = dimensionOrder(shape(plan_.sourceSide(), t), tensor.input);
    out.outputOrder = dimensionOrder(shape(plan_.destinationSide(), t), tensor.output);
  }
}

void PreparedCall::fillSummary() {
  const TensorRecord& first = record_.tensors[0];
  summary_ = {.sequence = record_.sequence,
              .batch = record_.batch,
              .heads = record_.heads,
              .kvHeads = record_.kvHeads,
              .headDim = first.headDim,
              .bytesReceived = plan_.bytesReceived(),
              .inputOrder = first.inputOrder,
              .outputOrder = first.outputOrder,
              .type = static_cast<DataType>(first.type),
              .nTensors = nTensors()};
}

void PreparedCall::bind(int peer, uint64_t strideHash, const CallRecord& record) {
  if (isBound(peer, strideHash)) return;
  const size_t first = static_cast<size_t>(peer) * plan_.tensors().size();
  for (size_t t = 0; t < plan_.tensors().size(); ++t) {
    const TensorSpec& tensor = plan_.tensors()[t];
    const Shape shape = shardShape(plan_.geometry(), plan_.distribution(), tensor, plan_.sourceSide(), peer);
    strides_[first + t] = record.tensors[t].input;
    extents_[first + t] = extentOf("input of a peer", shape, record.tensors[t].input, sizeOf(tensor.type));
  }
  plan_.bindSource(peer, std::span(strides_).subspan(first, plan_.tensors().size()), copies_);
  boundHash_[static_cast<size_t>(peer)] = strideHash;
}

void PreparedCall::findInterleaved() {
  for (size_t place = 0; place < interleaved_.size(); ++place) interleaved_[place] = meetInRows(place);
}

bool PreparedCall::meetInRows(size_t place) const {
  const Copy& first = copiesFrom(0)[place];
  int64_t begin = first.dstOffset, end = begin;
  for (int rank = 0; rank < plan_.nRanks(); ++rank) {
    const Copy& copy = copiesFrom(rank)[place];
    if (boundHash_[static_cast<size_t>(rank)] == 0 || plan_.receivesFrom(rank)[place].unit >= 0) return false;
    if (copy.tensor != first.tensor || copy.n != first.n || copy.dstStride != first.dstStride) return false;
    begin = std::min(begin, copy.dstOffset);
    end = std::max(end, copy.dstOffset + copy.runBytes);
  }
  return first.n[View::kDims - 1] > 1 && end - begin <= std::abs(first.dstStride[View::kDims - 1]);
}

}  // namespace ulysses
