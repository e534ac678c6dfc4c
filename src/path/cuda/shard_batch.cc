// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/shard_batch.h"

#include <algorithm>
#include <climits>

#include "base/check.h"

namespace ulysses {
namespace {

constexpr int64_t kMaxPieces = int64_t{1} << 27;  // of a copy, that the kernel counts: 2 GiB

}  // namespace

ShardRows rowsOf(const Plan& plan, int tensor, bool input, const device::TensorPlace& place) {
  const TensorSpec& spec = plan.tensors()[static_cast<size_t>(tensor)];
  const Shape shape = shardShape(plan.geometry(), plan.distribution(), spec,
                                 input ? plan.sourceSide() : plan.destinationSide(), plan.rank());
  ShardRows rows{place, {shape.tokens, shape.batch, shape.groups, shape.headsPerGroup}, spec.rowBytes()};
  for (size_t i = 0; i < rows.counts.size(); ++i)
    if (place.strides[i] == 0) rows.counts[i] = std::min<int64_t>(rows.counts[i], 1);
  if (rows.piecesPerToken() >= kMaxPieces)
    raise(Result::NotSupported, "tensors[{}]: a token has {} bytes; memory that peers cannot map takes less than {}",
          tensor, rows.piecesPerToken() * device::kPieceBytes, kMaxPieces * device::kPieceBytes);
  return rows;
}

ShardBatch::ShardBatch(DeviceRuntime& runtime, const device::Lease& lease, uint32_t tilePieces, int blocks,
                       void* stream, const uint32_t* unless)
    : runtime_(runtime), blocks_(blocks), stream_(stream) {
  copies_.lease = lease;
  copies_.tilePieces = tilePieces;
  copies_.unless = unless;
}

void ShardBatch::add(const device::ShardCopy& copy) {
  if (copies_.n == device::kTensors) flush();
  device::ShardCopy& added = copies_.copies[copies_.n++] = copy;
  added.rows.firstTile = copies_.tiles;
  copies_.tiles += (copy.rows.pieces + copies_.tilePieces - 1) / copies_.tilePieces;
}

void ShardBatch::flush() {
  if (copies_.n == 0) return;
  const auto most = static_cast<int>(std::min<uint32_t>(copies_.tiles, INT_MAX));
  runtime_.launchCopies(copies_, std::clamp(most, 1, blocks_), stream_);
  copies_.n = copies_.tiles = 0;
}

void ShardBatch::add(const ShardRows& rows, const std::byte* from, std::byte* to) {
  const device::TensorPlace& place = rows.place;
  const auto [tokens, nBatch, groups, heads] = rows.counts;
  const int64_t perToken = rows.piecesPerToken();
  const auto divisor = [](int64_t n) { return device::Divisor(static_cast<uint32_t>(n)); };
  device::ShardCopy copy;
  copy.place = place;
  copy.rows = {.piecesPerRow = divisor(rows.piecesPerRow()),
               .heads = divisor(heads),
               .groups = divisor(groups),
               .batch = divisor(nBatch),
               .rowBytes = static_cast<uint32_t>(rows.rowBytes)};
  const int64_t most = (kMaxPieces - 1) / perToken;
  for (int64_t first = 0; first < tokens; first += most) {
    copy.from = from + first * place.strides[0];
    copy.to = to + first * place.strides[0];
    copy.rows.pieces = static_cast<uint32_t>(std::min(most, tokens - first) * perToken);
    add(copy);
  }
}

}  // namespace ulysses
