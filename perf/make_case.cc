// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// From the options to cases: the tensors of the operation, the split the library gives, the sizes of a sweep.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "case.h"
#include "options.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

std::vector<TensorSpec> tensorsOf(const Options& options) {
  const std::string prefix = options.backward ? "d" : "";
  if (options.operation == Operation::kQkv || options.operation == Operation::kAttention) {
    return {{prefix + "Q", ulyssesTensorQuery, options.headDim, false},
            {prefix + "K", ulyssesTensorKv, options.headDim, false},
            {prefix + "V", ulyssesTensorKv, options.valueHeadDim, false}};
  }
  const bool isKv = options.tensorKind == ulyssesTensorKv;
  return {{prefix + (isKv ? "K" : "Q"), options.tensorKind, options.headDim, false}};
}

ulyssesOp_t operationThatRuns(const Options& options) {
  const bool gathers = (options.operation == Operation::kGatherHeads) != options.backward;
  return gathers ? ulyssesOpGatherHeads : ulyssesOpScatterHeads;
}

// The library names a field of its geometry first; the user gave an option.
const char* optionNamedBy(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, const char*>, 6> kOptions = {{{"kvHeads", "--kv-heads"},
                                                                                 {"queryHeads", "--query-heads"},
                                                                                 {"sequence", "--seq"},
                                                                                 {"tokens", "--tokens"},
                                                                                 {"batch", "--batch"},
                                                                                 {"heads", "--heads"}}};
  const char* option = "--seq, --heads or --ranks";
  size_t earliest = std::string_view::npos;
  for (const auto& [field, name] : kOptions) {
    const size_t place = text.find(field);
    if (place >= earliest) continue;
    earliest = place;
    option = name;
  }
  return option;
}

[[noreturn]] void rejectGeometry() {
  const std::string_view text = ulyssesGetLastError(nullptr);
  throw InputError(fmt::format("{}: {}", optionNamedBy(text), text));
}

// The place of every token is kept; a mistyped --seq must not end in bad_alloc.
void checkPositionsFit(int64_t sequence) {
  const int64_t needed = sequence * static_cast<int64_t>(sizeof(int64_t)), usable = usableMemoryBytes();
  if (needed <= usable / 2) return;
  throw InputError(
      fmt::format("--seq {}: the places of its tokens alone need {}, and {} are available; make it smaller", sequence,
                  formatBytes(needed), formatBytes(usable)));
}

void addShares(Case& made) {
  checkPositionsFit(made.sequence);
  const ulyssesGeometry_t geometry = made.geometry();
  for (int rank = 0; rank < made.ranks; ++rank) {
    ulyssesSplit_t split{};
    if (ulyssesGetSplit(&geometry, made.ranks, rank, &split) != ulyssesSuccess) rejectGeometry();
    RankShare share{split.queryHeadBegin, split.queryHeadCount, split.kvHeadBegin, split.kvHeadCount, {}};
    share.positions.resize(static_cast<size_t>(split.tokenCount));
    if (ulyssesGetTokenPositions(&geometry, made.ranks, rank, share.positions.data()) != ulyssesSuccess) {
      rejectGeometry();
    }
    made.shares.push_back(std::move(share));
    made.imbalance = split.imbalance;
  }
}

// Only a KV tensor with a head that several ranks hold needs the sum on its way back.
bool isShared(const Case& made, int tensor) {
  int64_t held = 0;
  for (int rank = 0; rank < made.ranks; ++rank) held += made.headCount(tensor, rank);
  return held > made.fullHeads(tensor);
}

void addSums(Case& made) {
  for (int tensor = 0; tensor < made.nTensors(); ++tensor) {
    TensorSpec& spec = made.tensors[static_cast<size_t>(tensor)];
    spec.sum = made.op == ulyssesOpGatherHeads && spec.kind == ulyssesTensorKv && isShared(made, tensor);
    if (spec.sum && !made.type->summable) {
      throw InputError(
          fmt::format("--dtype {}: {} ranks share KV heads here, whose partial values are added, and only "
                      "f64, f32, f16 and bf16 can be; use one of them, or --kv-heads {} or more",
                      made.type->name, made.ranks, made.ranks));
    }
  }
}

}  // namespace

Case makeCase(const Options& options, int64_t sequence) {
  Case made;
  made.op = operationThatRuns(options);
  made.layout = options.layout;
  made.order = options.order;
  made.type = options.type;
  made.ranks = options.ranks;
  made.sequence = sequence;
  made.batch = options.batch;
  made.heads = options.heads;
  made.kvHeads = options.kvHeads;
  made.tokens = options.tokens;
  made.queryHeads = options.queryHeads;
  made.tensors = tensorsOf(options);
  addShares(made);
  addSums(made);
  return made;
}

std::vector<Case> makeCases(const Options& options) {
  if (options.minBytes == 0) return {makeCase(options, options.sequence)};
  // Every rank receives an equal share of this many tokens, whatever the order.
  const int64_t unit = options.ranks * (options.order == ulyssesOrderZigzag ? 2 : 1);
  const int64_t unitBytes = std::max<int64_t>(1, makeCase(options, unit).largestReceivedBytes());
  std::vector<Case> cases;
  auto bytes = static_cast<double>(options.minBytes);
  while (bytes <= static_cast<double>(options.maxBytes)) {
    const auto units = std::max<int64_t>(1, std::llround(bytes / static_cast<double>(unitBytes)));
    // Sizes below one token each would be the same case again.
    if (cases.empty() || cases.back().sequence != units * unit) cases.push_back(makeCase(options, units * unit));
    bytes *= options.factor;
  }
  return cases;
}

}  // namespace ulysses::perf
