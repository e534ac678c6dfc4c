// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/reproduction.h"

#include <algorithm>

#include "base/format.h"

namespace ulysses {
namespace {

struct NamedLayout {
  ReproLayout bit;
  const char* name;
  Strides (*stridesOf)(const Shape&);
};
constexpr NamedLayout kLayouts[] = {{kReproSbhd, "sbhd", sbhd}, {kReproBshd, "bshd", bshd}, {kReproBhsd, "bhsd", bhsd}};

/// Strides that are never stepped along do not count.
bool isSame(const Shape& shape, const Strides& a, const Strides& b) {
  return shape.empty() ||
         ((shape.tokens == 1 || a.sequence == b.sequence) && (shape.batch == 1 || a.batch == b.batch) &&
          (shape.groups == 1 || a.group == b.group) && (shape.headsPerGroup == 1 || a.head == b.head));
}

uint32_t layoutsOf(const Plan& plan, const TensorSpec& tensor) {
  const auto shapeOf = [&](Side side) {
    return shardShape(plan.geometry(), plan.distribution(), tensor, side, plan.rank());
  };
  const Shape in = shapeOf(plan.sourceSide()), out = shapeOf(plan.destinationSide());
  uint32_t layouts = 0;
  for (const NamedLayout& layout : kLayouts)
    if (isSame(in, tensor.input, layout.stridesOf(in)) && isSame(out, tensor.output, layout.stridesOf(out)))
      layouts |= layout.bit;
  return layouts;
}

std::string listOf(std::span<const int64_t> values) {
  std::string text;
  for (const int64_t value : values) text += formatText("{}{}", text.empty() ? "" : ",", value);
  return text;
}

/// Q, K and V, or their gradients, as one exchange of the tool.
bool isQkv(std::span<const ReproTensor> tensors) {
  return tensors.size() == 3 && tensors[0].kind == TensorKind::Query && tensors[1].kind == TensorKind::Kv &&
         tensors[2].kind == TensorKind::Kv && tensors[0].headDim == tensors[1].headDim &&
         tensors[0].type == tensors[1].type && tensors[0].type == tensors[2].type;
}

/// One line while it is put together.
class Line {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> text, Args&&... args) {
    command_ += " " + formatText(text, std::forward<Args>(args)...);
  }
  void differ(const std::string& what) { remarks_ += (remarks_.empty() ? "  # " : "; ") + what; }
  std::string text() const { return "ulysses_perf" + command_ + remarks_; }

 private:
  std::string command_, remarks_;
};

void addOperation(Line& line, Operation operation, std::span<const ReproTensor> tensors) {
  if (isQkv(tensors))
    line.add("{}", operation == Operation::ScatterHeads ? "qkv" : "qkv --backward");
  else
    line.add("{}", nameOf(operation));
}

void addGeometry(Line& line, const Geometry& g) {
  line.add("--ranks {} --seq {} --batch {} --heads {} --kv-heads {}", g.nRanks, g.sequence, g.batch, g.heads,
           g.kvHeads);
  if (!g.queryHeads.empty()) line.add("--query-heads {}", listOf(g.queryHeads));
  if (g.order == SequenceOrder::Zigzag) {
    // The counts are what the rule gives, without ends of packed sequences, which the tool does not know, others.
    line.add("--order zigzag");
    if (g.cuSeqlens.size() > 2) line.differ("packed sequences differ");
  } else if (!g.tokens.empty()) {
    line.add("--tokens {}", listOf(g.tokens));
  }
}

void addTensors(Line& line, std::span<const ReproTensor> tensors) {
  if (tensors.empty()) return;
  const ReproTensor& first = tensors.front();
  const bool qkv = isQkv(tensors);
  if (!qkv && tensors.size() > 1) {
    line.differ(formatText("one of {} tensors", tensors.size()));
    tensors = tensors.first(1);
  }
  if (!qkv && first.kind == TensorKind::Kv) line.add("--tensor kv");
  line.add("--head-dim {}", first.headDim);
  if (qkv && tensors[2].headDim != first.headDim) line.add("--v-head-dim {}", tensors[2].headDim);
  line.add("--dtype {}", nameOf(first.type));
  uint32_t common = ~0u;
  for (const ReproTensor& tensor : tensors) common &= tensor.layouts;
  if (common == 0) line.differ("strides differ");
  const uint32_t shown = common != 0 ? common : first.layouts;
  const auto* const layout = std::ranges::find_if(kLayouts, [&](const NamedLayout& l) { return (shown & l.bit) != 0; });
  line.add("--layout {}", layout != std::end(kLayouts) ? layout->name : "sbhd");
}

}  // namespace

std::string reproductionLine(Operation operation, const Geometry& geometry, std::span<const ReproTensor> tensors,
                             ReproMemory memory) {
  Line line;
  addOperation(line, operation, tensors);
  addGeometry(line, geometry);
  addTensors(line, tensors);
  if (geometry.tag != 0) line.differ(formatText("without tag {:#x}", geometry.tag));
  if (memory != ReproMemory::Unknown) line.add("--memory {}", memory == ReproMemory::Plain ? "plain" : "registered");
  return line.text();
}

std::string reproductionLine(const Plan& plan, ReproMemory memory) {
  std::vector<ReproTensor> tensors;
  for (const TensorSpec& tensor : plan.tensors())
    tensors.push_back({tensor.type, tensor.kind, tensor.headDim, layoutsOf(plan, tensor)});
  return reproductionLine(plan.operation(), plan.geometry(), tensors, memory);
}

}  // namespace ulysses
