// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange/mismatch.h"

#include <algorithm>

#include "base/format.h"

namespace ulysses {
namespace {

std::string text(int64_t value) { return formatText("{}", value); }

std::string nameIn(int32_t value, std::span<const char* const> names) {
  const bool known = value >= 0 && value < std::ssize(names);
  return known ? names[static_cast<size_t>(value)] : formatText("{}", value);
}

constexpr const char* kOperations[] = {"scatter_heads", "gather_heads"};
constexpr const char* kOrders[] = {"contiguous", "zigzag"};
constexpr const char* kKinds[] = {"query", "kv"};
constexpr const char* kTypes[] = {"f64", "f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i8", "u8", "i32", "i64"};

std::string orderText(int32_t code) {
  constexpr const char* kDims[] = {"?", "sequence", "batch", "kv group", "head"};
  std::string words;
  for (const char digit : formatText("{}", code))
    words += formatText("{}{}", words.empty() ? "" : ",", kDims[std::clamp(digit - '0', 0, 4)]);
  return words;
}

/// Collects the first difference only.
class Comparison {
 public:
  Comparison(const AnnouncedCall& a, const AnnouncedCall& b) : a_(a), b_(b) {}

  void differ(const std::string& field, const std::string& a, const std::string& b) {
    if (!difference_)
      difference_ = formatText("{}: rank {} passed {}, rank {} passed {}; all ranks must pass the same", field, a_.rank,
                               a, b_.rank, b);
  }
  void number(const char* field, int64_t a, int64_t b) {
    if (a != b) differ(field, text(a), text(b));
  }
  void name(const std::string& field, int32_t a, int32_t b, std::span<const char* const> names) {
    if (a != b) differ(field, nameIn(a, names), nameIn(b, names));
  }
  void order(const std::string& field, int32_t a, int32_t b) {
    if (!sameOrder(a, b)) differ(field, "dimensions in order " + orderText(a), orderText(b));
  }
  std::optional<std::string> result() const { return difference_; }

 private:
  const AnnouncedCall &a_, &b_;
  std::optional<std::string> difference_;
};

void compareTensor(Comparison& c, int index, const TensorRecord& a, const TensorRecord& b) {
  const auto field = [&](const char* name) { return formatText("tensors[{}].{}", index, name); };
  c.name(field("kind"), a.kind, b.kind, kKinds);
  c.name(field("dtype"), a.type, b.type, kTypes);
  if (a.headDim != b.headDim) c.differ(field("headDim"), text(a.headDim), text(b.headDim));
  if (a.sum != b.sum) c.differ(field("flags"), text(a.sum), text(b.sum));
  c.order(field("inputLayout"), a.inputOrder, b.inputOrder);
  c.order(field("outputLayout"), a.outputOrder, b.outputOrder);
}

void compareArrays(Comparison& c, const AnnouncedCall& a, const AnnouncedCall& b, int nRanks) {
  const auto arrays = [&](const char* name, bool inA, bool inB, auto valueOf) {
    if (inA != inB) return c.differ(name, inA ? "an array" : "NULL", inB ? "an array" : "NULL");
    for (int i = 0; inA && i < nRanks; ++i) {
      const int64_t x = valueOf(a, i), y = valueOf(b, i);
      if (x != y) return c.differ(formatText("{}[{}]", name, i), text(x), text(y));
    }
  };
  arrays("tokens", a.record->explicitTokens, b.record->explicitTokens,
         [](const AnnouncedCall& x, int i) { return x.path->tokensOf(x.rank, x.sequence, i); });
  arrays("queryHeads", a.record->explicitQueryHeads, b.record->explicitQueryHeads,
         [](const AnnouncedCall& x, int i) { return x.path->queryHeadsOf(x.rank, x.sequence, i); });
}

}  // namespace

std::optional<std::string> firstDifference(const AnnouncedCall& a, const AnnouncedCall& b, int nRanks) {
  Comparison c(a, b);
  const CallRecord &x = *a.record, &y = *b.record;
  c.name("operation", x.operation, y.operation, kOperations);
  c.number("sequence", x.sequence, y.sequence);
  c.number("batch", x.batch, y.batch);
  c.number("heads", x.heads, y.heads);
  c.number("kvHeads", x.kvHeads, y.kvHeads);
  c.name("order", x.order, y.order, kOrders);
  c.number("nTensors", x.nTensors, y.nTensors);
  c.number("nSequences", x.nSequences, y.nSequences);
  if (x.cuSeqlensHash != y.cuSeqlensHash)
    c.differ("cuSeqlens", formatText("values of hash {:016x}", x.cuSeqlensHash),
             formatText("{:016x}", y.cuSeqlensHash));
  if (x.tag != y.tag) c.differ("tag", formatText("{:#018x}", x.tag), formatText("{:#018x}", y.tag));
  compareArrays(c, a, b, nRanks);
  for (int t = 0; t < std::min({x.nTensors, y.nTensors, kMaxTensors}); ++t)
    compareTensor(c, t, x.tensors[t], y.tensors[t]);
  return c.result();
}

}  // namespace ulysses
