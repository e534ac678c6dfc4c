// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What it costs to make a plan ready at one rank: the split, the boxes, and the copies from every source.
#include <benchmark/benchmark.h>

#include "exchange/prepared_call.h"

namespace ulysses::test {
namespace {

struct Model {
  int nRanks;
  std::int64_t heads, kvHeads;
  bool everyOther = false;  // fewer query heads than ranks: only some ranks hold any
};

/// Q, K and V of a forward exchange, in sbhd on both sides.
std::vector<TensorSpec> qkv(const Geometry& geometry, const Distribution& d, int rank) {
  std::vector<TensorSpec> tensors;
  for (const TensorKind kind : {TensorKind::Query, TensorKind::Kv, TensorKind::Kv}) {
    TensorSpec tensor{.type = DataType::BF16, .kind = kind, .sum = false, .headDim = 128, .input = {}, .output = {}};
    tensor.input = sbhd(shardShape(geometry, d, tensor, Side::SequenceShard, rank));
    tensor.output = sbhd(shardShape(geometry, d, tensor, Side::HeadShard, rank));
    tensors.push_back(tensor);
  }
  return tensors;
}

/// Prepares the call of rank 0, which holds heads, and binds every source, as its first exchange would.
void prepare(benchmark::State& state, const Model& model) {
  std::vector<std::int64_t> queryHeads;
  Geometry geometry;
  geometry.nRanks = model.nRanks;
  geometry.sequence = 131072;
  geometry.heads = model.heads;
  geometry.kvHeads = model.kvHeads;
  if (model.everyOther) {
    for (int rank = 0; rank < model.nRanks; ++rank)
      queryHeads.push_back(rank % (model.nRanks / static_cast<int>(model.heads)) == 0);
    geometry.queryHeads = queryHeads;
  }
  const auto tensors = qkv(geometry, distribute(geometry), 0);
  for (auto _ : state) {
    PreparedCall call(Operation::ScatterHeads, geometry, tensors, 0, 1);
    for (int peer = 0; peer < model.nRanks; ++peer) call.bind(peer, 3, call.record());
    call.findInterleaved();
    benchmark::DoNotOptimize(call.copiesFrom(model.nRanks - 1).data());
  }
  state.SetLabel("target: under 1 ms");
}

void registerAll() {
  const auto add = [](const char* name, const Model& model) {
    benchmark::RegisterBenchmark(name, [model](benchmark::State& state) {
      prepare(state, model);
    })->Unit(benchmark::kMicrosecond);
  };
  add("qkv/ranks:64/heads:64/kv:8", {64, 64, 8});
  // 64 query heads go to at most 64 ranks: the other 960 hold tokens only.
  add("qkv/ranks:1024/heads:64/kv:8", {1024, 64, 8, true});
  add("qkv/ranks:1024/heads:1024/kv:128", {1024, 1024, 128});
}

}  // namespace
}  // namespace ulysses::test

int main(int argc, char** argv) {
  ulysses::test::registerAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
