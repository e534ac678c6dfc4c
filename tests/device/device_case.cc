// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "device_case.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "support/element.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kGuard = 64;

/// Rows of up to some hundred bytes: short ones, whole vectors, vectors and a rest.
void widen(Rng& rng, PlanCase* run) {
  for (std::size_t t = 0; t < run->tensors[0].size(); ++t) {
    const std::int64_t factor = rng.pick<std::int64_t>({1, 1, 4, 8, 16, 20});
    for (auto& tensors : run->tensors) {
      TensorSpec& tensor = tensors[t];
      tensor.headDim *= factor;
      for (Strides* strides : {&tensor.input, &tensor.output})
        *strides = {strides->sequence * factor, strides->batch * factor, strides->group * factor,
                    strides->head * factor};
    }
  }
}

/// Strides of dimensions nested in a random order, with gaps at times.
Strides drawAlike(Rng& rng, const Shape& most) {
  const std::int64_t extents[] = {most.tokens, most.batch, most.groups, most.headsPerGroup};
  std::int64_t strides[4] = {};
  std::size_t order[] = {3, 2, 1, 0};
  for (std::size_t i = 3; i > 0; --i)
    std::swap(order[i], order[static_cast<std::size_t>(rng.between(0, static_cast<std::int64_t>(i)))]);
  std::int64_t next = most.headDim;
  for (const std::size_t dim : order) {
    strides[dim] = next + (rng.chance(30) ? rng.between(0, 3) * most.headDim : 0);
    next = std::max<std::int64_t>(extents[dim], 1) * strides[dim];
  }
  return {strides[0], strides[1], strides[2], strides[3]};
}

/// The same layout for all ranks: contiguous ones of their own shapes, or the same strides.
void makeAlike(Rng& rng, PlanCase* run, std::size_t t, bool input) {
  const bool sequence = (run->operation == Operation::ScatterHeads) == input;
  const auto shapeOf = [&](int rank) {
    const TensorSpec& tensor = run->tensorsOf(rank)[t];
    return sequence ? sequenceShape(*run, tensor, rank) : headShape(*run, tensor, rank);
  };
  Shape most = shapeOf(0);
  for (int rank = 1; rank < run->nRanks; ++rank) {
    const Shape shape = shapeOf(rank);
    most = {std::max(most.tokens, shape.tokens), most.batch, std::max(most.groups, shape.groups),
            std::max(most.headsPerGroup, shape.headsPerGroup), most.headDim};
  }
  const std::int64_t layout = rng.between(0, 3);
  const Strides alike = drawAlike(rng, most);
  for (int rank = 0; rank < run->nRanks; ++rank) {
    TensorSpec& tensor = run->tensors[static_cast<std::size_t>(rank)][t];
    const Shape shape = shapeOf(rank);
    (input ? tensor.input : tensor.output) = layout == 0   ? sbhd(shape)
                                             : layout == 1 ? bshd(shape)
                                             : layout == 2 ? bhsd(shape)
                                                           : alike;
  }
}

PlanCase drawWide(int nRanks, std::uint64_t seed, DeviceCase::Layouts layouts) {
  PlanCase run = drawCase(nRanks, seed);
  Rng rng(seed, 7, 7);
  widen(rng, &run);
  if (layouts == DeviceCase::Layouts::Own) return run;
  for (std::size_t t = 0; t < run.tensors[0].size(); ++t) {
    makeAlike(rng, &run, t, false);
    if (layouts == DeviceCase::Layouts::Orders || rng.chance(70)) makeAlike(rng, &run, t, true);
  }
  return run;
}

std::uint8_t* raw(Bytes& bytes, std::int64_t at) { return reinterpret_cast<std::uint8_t*>(bytes.data()) + at; }
const std::uint8_t* raw(const Bytes& bytes, std::int64_t at) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data()) + at;
}

ulyssesDataType_t typeOf(const TensorSpec& tensor) { return static_cast<ulyssesDataType_t>(tensor.type); }

}  // namespace

DeviceCase::DeviceCase(int nRanks, std::uint64_t seed, std::uint32_t tilePieces, Layouts layouts)
    : run_(drawWide(nRanks, seed, layouts)) {
  plans_ = run_.allPlans();
  for (const auto& plan : plans_) works_.push_back(std::make_unique<DeviceWork>(*plan, tilePieces));
  Rng rng(seed, 11, static_cast<std::uint64_t>(nRanks));
  place(rng, layouts);
  fill(rng);
  after_ = before_;
  expect();
}

namespace {

Extent extentAt(const Plan& plan, std::size_t tensor, bool input) {
  const TensorSpec& spec = plan.tensors()[tensor];
  const Shape shape = shardShape(plan.geometry(), plan.distribution(), spec,
                                 input ? plan.sourceSide() : plan.destinationSide(), plan.rank());
  return extentOf("tensor", shape, input ? spec.input : spec.output, sizeOf(spec.type));
}

}  // namespace

std::int64_t DeviceCase::bytesOf(int rank, std::size_t tensor, bool input) const {
  const Extent extent = extentAt(plan(rank), tensor, input);
  return extent.end - extent.begin;
}

/// One tensor end after the other, guards between them. The segment that peers see begins behind the first guard.
void DeviceCase::place(Rng& rng, Layouts layouts) {
  const Rng first = rng;
  for (const auto& plan : plans_) {
    if (layouts == Layouts::Windows) rng = first;
    std::int64_t at = kSegmentBegin;
    const auto take = [&](std::size_t tensor, bool input) {
      const Extent extent = extentAt(*plan, tensor, input);
      const std::int64_t misaligned = rng.chance(30) ? rng.between(0, 15) * sizeOf(plan->tensors()[tensor].type) : 0;
      const std::int64_t begin = (at + kGuard + 127) / 128 * 128 + misaligned;
      std::int64_t bytes = extent.end - extent.begin;
      for (int rank = 0; layouts == Layouts::Windows && rank < nRanks(); ++rank)
        bytes = std::max(bytes, bytesOf(rank, tensor, input));
      at = begin + bytes;
      return begin - extent.begin;
    };
    std::vector<Ends> ends;
    for (std::size_t t = 0; t < plan->tensors().size(); ++t) {
      const std::int64_t input = take(t, true);
      ends.push_back({input, take(t, false)});
    }
    ends_.push_back(ends);
    before_.emplace_back(static_cast<std::size_t>(at + kGuard));
  }
}

/// Random bytes everywhere; what is summed gets numbers that no order or second rounding leaves alike.
void DeviceCase::fill(Rng& rng) {
  for (int rank = 0; rank < nRanks(); ++rank) {
    Bytes& bytes = before_[static_cast<std::size_t>(rank)];
    for (std::byte& each : bytes) each = static_cast<std::byte>(rng.next());
    const Plan& plan = *plans_[static_cast<std::size_t>(rank)];
    for (std::size_t t = 0; t < plan.tensors().size(); ++t) {
      const TensorSpec& tensor = plan.tensors()[t];
      if (!tensor.sum) continue;
      const Shape shape = shardShape(plan.geometry(), plan.distribution(), tensor, plan.sourceSide(), rank);
      for (const std::int64_t row : rowsOf(shape, tensor.input, sizeOf(tensor.type)))
        for (std::int64_t d = 0; d < tensor.headDim; ++d)
          fillElement(Fill::Finite, typeOf(tensor), &rng,
                      raw(bytes, offsetOf(rank, t, true) + row + d * sizeOf(tensor.type)));
    }
  }
}

std::int64_t DeviceCase::offsetOf(int rank, std::size_t tensor, bool input) const {
  const Ends& ends = ends_[static_cast<std::size_t>(rank)][tensor];
  return input ? ends.input : ends.output;
}

void DeviceCase::expect() {
  for (int rank = 0; rank < nRanks(); ++rank)
    for (std::size_t t = 0; t < run_.tensorsOf(rank).size(); ++t)
      run_.tensorsOf(rank)[t].sum ? expectSums(rank, t) : expectTensor(rank, t);
}

void DeviceCase::expectTensor(int rank, std::size_t tensor) {
  const auto rowBytes = static_cast<std::size_t>(run_.tensorsOf(rank)[tensor].rowBytes());
  for (int source = 0; source < nRanks(); ++source)
    for (const auto& [from, to] : mappedRows(run_, static_cast<int>(tensor), source, rank))
      std::memcpy(raw(after_[static_cast<std::size_t>(rank)], offsetOf(rank, tensor, false) + to),
                  raw(before(source), offsetOf(source, tensor, true) + from), rowBytes);
}

void DeviceCase::expectSums(int rank, std::size_t tensor) {
  const TensorSpec& spec = run_.tensorsOf(rank)[tensor];
  const std::int64_t bytes = sizeOf(spec.type);
  std::map<std::int64_t, std::vector<const std::uint8_t*>> rows;  // by destination; summands in ascending rank order
  for (int source = 0; source < nRanks(); ++source)
    for (const auto& [from, to] : mappedRows(run_, static_cast<int>(tensor), source, rank))
      rows[to].push_back(raw(before(source), offsetOf(source, tensor, true) + from));
  for (const auto& [to, summands] : rows)
    for (std::int64_t at = 0; at < spec.rowBytes(); at += bytes) {
      std::vector<const std::uint8_t*> elements;
      for (const std::uint8_t* row : summands) elements.push_back(row + at);
      std::uint8_t* const element =
          raw(after_[static_cast<std::size_t>(rank)], offsetOf(rank, tensor, false) + to + at);
      if (elements.size() == 1)
        std::memcpy(element, elements[0], static_cast<std::size_t>(bytes));
      else
        sumElements(typeOf(spec), elements, element);
    }
}

void DeviceCase::describe(int rank, std::byte* arena, device::Segment* segments) const {
  segments[0] = {};
  segments[1] = {arena + kSegmentBegin, std::ssize(before(rank)) - kSegmentBegin};
}

device::Arguments DeviceCase::call(int rank, const Places& places) const {
  device::Arguments call;
  call.rank = rank;
  call.nRanks = nRanks();
  call.nTensors = static_cast<int>(plan(rank).tensors().size());
  call.segmentsPerRank = kSegments;
  call.boards = places.boards;
  call.segments = places.segments;
  call.report = places.report;
  call.timeoutNs = 60'000'000'000;
  call.work = places.work;
  call.letter.callHash = 42;
  for (std::size_t t = 0; t < plan(rank).tensors().size(); ++t) {
    call.inputs[t] = places.arena + offsetOf(rank, t, true);
    call.outputs[t] = places.arena + offsetOf(rank, t, false);
    device::TensorPlace& place = call.letter.tensors[t] = work(rank).placeOf(plan(rank), static_cast<int>(t));
    place.segment = 1;
    place.offset = offsetOf(rank, t, work(rank).isPulled(static_cast<int>(t))) - kSegmentBegin;
    call.sums = call.sums || work(rank).isPulled(static_cast<int>(t));
  }
  return call;
}

}  // namespace ulysses::test
