// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/device_work.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/device/vector.h"
#include "path/record.h"

namespace ulysses {
namespace {

static_assert(device::kTensors == kMaxTensors);

constexpr int64_t kMaxPieces = int64_t{1} << 27;  // 2 GiB

uint32_t alignmentOf(std::span<const int64_t> strides, int64_t rowBytes) {
  uint64_t bits = static_cast<uint64_t>(rowBytes);
  for (const int64_t stride : strides) bits |= static_cast<uint64_t>(stride);
  return device::alignmentOf(bits);
}

device::Corner cornerOf(const Box& box, Side side) {
  const BoxStart start = startOf(box, side);
  return {start.token, start.group, start.head};
}

int64_t piecesOfRow(int64_t rowBytes) { return (rowBytes + device::kPieceBytes - 1) / device::kPieceBytes; }

/// Calls fn(box) for parts of the box, by tokens, that the kernels can count.
template <typename Fn>
void forEachPart(const Plan& plan, Box box, Fn&& fn) {
  const int64_t rowBytes = plan.tensors()[static_cast<size_t>(box.tensor)].rowBytes();
  const int64_t perToken = plan.geometry().batch * box.groups * box.heads * piecesOfRow(rowBytes);
  if (perToken >= kMaxPieces)
    raise(Result::NotSupported,
          "tensors[{}]: {} bytes of one token go to one rank; a GPU exchange takes less than {}: use a smaller batch",
          box.tensor, perToken * device::kPieceBytes, kMaxPieces * device::kPieceBytes);
  const int64_t most = (kMaxPieces - 1) / perToken;
  for (int64_t left = box.tokens; left > 0; left -= box.tokens) {
    box.tokens = std::min(left, most);
    fn(box);
    box.seqToken += box.tokens;
    box.gatheredToken += box.tokens;
  }
}

/// A stride that is never stepped along may be anything; 0 here.
device::Steps stepsOf(const Shape& shape, const Strides& strides, int64_t bytes) {
  const auto step = [&](int64_t n, int64_t stride) { return n > 1 ? stride * bytes : 0; };
  return {{step(shape.tokens, strides.sequence), step(shape.batch, strides.batch), step(shape.groups, strides.group),
           step(shape.headsPerGroup, strides.head)}};
}

}  // namespace

bool isPulled(const Plan& plan, size_t tensor) {
  return plan.tensors()[tensor].sum && plan.distribution().heads.firstSharedKvHead() >= 0;
}

device::Steps outputSteps(const Plan& plan, const TensorSpec& tensor, int rank) {
  return stepsOf(shardShape(plan.geometry(), plan.distribution(), tensor, plan.destinationSide(), rank), tensor.output,
                 sizeOf(tensor.type));
}

DeviceWork::DeviceWork(const Plan& plan, uint32_t tilePieces) : tilePieces_(tilePieces) {
  for (size_t t = 0; t < plan.tensors().size(); ++t)
    if (ulysses::isPulled(plan, t)) pulled_ |= 1u << t;
  firstPush_.push_back(0);
  for (int peer = 0; peer < plan.nRanks(); ++peer) addPushes(plan, peer);
  addSums(plan);
}

device::Work DeviceWork::work() const {
  return {.pushes = pushes_.data(),
          .firstPush = firstPush_.data(),
          .pushTiles = pushTiles_.data(),
          .sums = sums_.data(),
          .sources = sources_.data(),
          .nSums = static_cast<uint32_t>(sums_.size()),
          .sumTiles = sumTiles_,
          .tilePieces = tilePieces_};
}

device::TensorPlace DeviceWork::placeOf(const Plan& plan, int tensor) const {
  return ulysses::placeOf(plan, tensor, isPulled(tensor));
}

device::TensorPlace placeOf(const Plan& plan, int tensor, bool input) {
  const TensorSpec& spec = plan.tensors()[static_cast<size_t>(tensor)];
  const Strides& strides = input ? spec.input : spec.output;
  const Shape shape = shardShape(plan.geometry(), plan.distribution(), spec,
                                 input ? plan.sourceSide() : plan.destinationSide(), plan.rank());
  const int64_t bytes = sizeOf(spec.type);
  const Extent extent = extentOf(input ? "input" : "output", shape, strides, bytes);
  device::TensorPlace place{.begin = extent.begin, .end = extent.end};
  std::ranges::copy(stepsOf(shape, strides, bytes).bytes, place.strides);
  place.alignment = alignmentOf(place.strides, spec.rowBytes());
  return place;
}

device::Rows DeviceWork::rowsOf(const Plan& plan, const Box& box, uint32_t* tiles) const {
  const int64_t rowBytes = plan.tensors()[static_cast<size_t>(box.tensor)].rowBytes(), perRow = piecesOfRow(rowBytes);
  const auto divisor = [](int64_t n) { return device::Divisor(static_cast<uint32_t>(n)); };
  device::Rows rows{.piecesPerRow = divisor(perRow),
                    .heads = divisor(box.heads),
                    .groups = divisor(box.groups),
                    .batch = divisor(plan.geometry().batch),
                    .rowBytes = static_cast<uint32_t>(rowBytes),
                    .pieces = static_cast<uint32_t>(box.rows(plan.geometry().batch) * perRow),
                    .firstTile = *tiles};
  *tiles += (rows.pieces + tilePieces_ - 1) / tilePieces_;
  return rows;
}

void DeviceWork::addPushes(const Plan& plan, int peer) {
  uint32_t tiles = 0;
  for (const Box& whole : plan.sendsTo(peer)) {
    if (isPulled(whole.tensor)) continue;
    forEachPart(plan, whole, [&](const Box& box) {
      const View source = plan.sourceView(box);
      device::PushBox push{.tensor = box.tensor,
                           .alignment = alignmentOf(source.stride, source.runBytes),
                           .rows = rowsOf(plan, box, &tiles),
                           .sourceOffset = source.offset,
                           .destination = cornerOf(box, plan.destinationSide())};
      std::copy(source.stride.begin(), source.stride.end(), push.sourceStrides);
      pushes_.push_back(push);
    });
  }
  pushTiles_.push_back(tiles);
  firstPush_.push_back(static_cast<uint32_t>(pushes_.size()));
}

void DeviceWork::addSums(const Plan& plan) {
  const auto source = [&](int rank, const Box& box) {
    return device::SumSource{rank, cornerOf(box, plan.sourceSide())};
  };
  std::vector<device::SumSource> sources;
  for (const SumUnit& unit : plan.sumUnits()) {
    sources.clear();
    for (const SumSource& each : plan.sumSources(unit))
      sources.push_back(source(each.rank, plan.receives()[static_cast<size_t>(each.receive)].box));
    addSum(plan, unit.box, sources);
  }
  for (int peer = 0; peer < plan.nRanks(); ++peer)
    for (const Receive& receive : plan.receivesFrom(peer))
      if (receive.unit < 0 && isPulled(receive.box.tensor))
        addSum(plan, receive.box, std::array{source(peer, receive.box)});
}

void DeviceWork::addSum(const Plan& plan, const Box& whole, std::span<const device::SumSource> sources) {
  const BoxStart first = startOf(whole, plan.sourceSide());
  forEachPart(plan, whole, [&](const Box& box) {
    const View destination = plan.destinationView(box);
    device::SumBox sum{.tensor = box.tensor,
                       .type = plan.tensors()[static_cast<size_t>(box.tensor)].type,
                       .alignment = alignmentOf(destination.stride, destination.runBytes),
                       .rows = rowsOf(plan, box, &sumTiles_),
                       .destinationOffset = destination.offset,
                       .firstSource = static_cast<uint32_t>(sources_.size()),
                       .sourceCount = static_cast<uint32_t>(sources.size())};
    std::copy(destination.stride.begin(), destination.stride.end(), sum.destinationStrides);
    sums_.push_back(sum);
    for (device::SumSource each : sources) {
      each.corner.token += startOf(box, plan.sourceSide()).token - first.token;
      sources_.push_back(each);
    }
  });
}

}  // namespace ulysses
