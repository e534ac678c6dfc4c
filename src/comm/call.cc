// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/call.h"

#include "base/check.h"
#include "plan/reproduction.h"

namespace ulysses {
namespace {

Strides resolve(Layout layout, const Strides& given, const Shape& shape) {
  switch (layout) {
    case Layout::Sbhd:
      return sbhd(shape);
    case Layout::Bshd:
      return bshd(shape);
    case Layout::Bhsd:
      return bhsd(shape);
    case Layout::Strided:
      break;
  }
  return given;
}

/// One side of one tensor in memory.
struct Operand {
  const char* name;
  int index;
  const std::byte* pointer;
  const Extent* extent;
  Side side;

  const std::byte* begin() const { return pointer + extent->begin; }
  const std::byte* end() const { return pointer + extent->end; }
};

Operand operandOf(const PreparedCall& prepared, const TensorMemory& memory, int index, bool input) {
  const Side side = input ? prepared.plan().sourceSide() : prepared.plan().destinationSide();
  return {input ? "input" : "output", index, input ? memory.input[index] : memory.output[index],
          input ? &prepared.inputExtent(index) : &prepared.outputExtent(index), side};
}

void requirePointer(const Operand& operand) {
  const bool needed = operand.extent->end > operand.extent->begin;
  if (needed && operand.pointer == nullptr)
    raise(Result::InvalidArgument, "tensors[{}].{} is NULL, but {} bytes are there to be {}", operand.index,
          operand.name, operand.extent->end - operand.extent->begin, operand.name[0] == 'i' ? "read" : "written");
}

/// Whether two operands whose ranges meet share no address all the same, as slices of one buffer do; rare.
bool interleave(const PreparedCall& prepared, const Operand& a, const Operand& b) {
  const auto tensorOf = [&](const Operand& o) -> const TensorSpec& {
    return prepared.plan().tensors()[static_cast<size_t>(o.index)];
  };
  const auto stridesOf = [&](const Operand& o) {
    return o.side == prepared.plan().sourceSide() ? tensorOf(o).input : tensorOf(o).output;
  };
  return !mayOverlap(prepared.shape(a.side, a.index), stridesOf(a), sizeOf(tensorOf(a).type),
                     prepared.shape(b.side, b.index), stridesOf(b), sizeOf(tensorOf(b).type), b.pointer - a.pointer);
}

void requireDisjoint(const PreparedCall& prepared, const Operand& a, const Operand& b) {
  if (a.begin() >= b.end() || b.begin() >= a.end() || interleave(prepared, a, b)) return;
  raise(Result::InvalidArgument,
        "tensors[{}].{} [{}, {}) overlaps tensors[{}].{} [{}, {}); exchanges are out of place: give the output memory "
        "of its own",
        a.index, a.name, address(a.begin()), address(a.end()), b.index, b.name, address(b.begin()), address(b.end()));
}

}  // namespace

std::vector<TensorSpec> resolveTensors(const Call& call, int rank) {
  const Distribution distribution = distribute(call.geometry);
  const bool scatter = call.operation == Operation::ScatterHeads;
  std::vector<TensorSpec> tensors;
  for (int t = 0; t < call.nTensors; ++t) {
    const CallTensor& in = call.tensors[t];
    TensorSpec out{
        .type = in.type, .kind = in.kind, .sum = in.sum != 0, .headDim = in.headDim, .input = {}, .output = {}};
    // Sizes first: strides of a tensor that does not fit 64 bits would overflow on their way.
    requireCountable(call.geometry, distribution, out, t, rank);
    const Side source = scatter ? Side::SequenceShard : Side::HeadShard;
    const Side destination = scatter ? Side::HeadShard : Side::SequenceShard;
    out.input = resolve(in.inputLayout, in.inputStrides, shardShape(call.geometry, distribution, out, source, rank));
    out.output =
        resolve(in.outputLayout, in.outputStrides, shardShape(call.geometry, distribution, out, destination, rank));
    tensors.push_back(out);
  }
  return tensors;
}

std::string reproductionOf(const Call& call) {
  const auto layoutsOf = [](const CallTensor& t) -> uint32_t {
    if (t.inputLayout != t.outputLayout || t.inputLayout == Layout::Strided) return 0;
    return 1u << static_cast<int>(t.inputLayout);
  };
  static_assert(1u << static_cast<int>(Layout::Bhsd) == kReproBhsd);
  std::vector<ReproTensor> tensors;
  for (const CallTensor& t : std::span(call.tensors).first(static_cast<size_t>(call.nTensors)))
    tensors.push_back({t.type, t.kind, t.headDim, layoutsOf(t)});
  return reproductionLine(call.operation, call.geometry, tensors, ReproMemory::Unknown);
}

void requireMemory(const PreparedCall& prepared, const TensorMemory& memory) {
  for (int t = 0; t < prepared.nTensors(); ++t) {
    requirePointer(operandOf(prepared, memory, t, true));
    const Operand output = operandOf(prepared, memory, t, false);
    requirePointer(output);
    for (int other = 0; other < prepared.nTensors(); ++other) {
      requireDisjoint(prepared, output, operandOf(prepared, memory, other, true));
      if (other < t) requireDisjoint(prepared, output, operandOf(prepared, memory, other, false));
    }
  }
}

}  // namespace ulysses
