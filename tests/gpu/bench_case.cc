// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_case.h"

#include <numeric>
#include <stdexcept>

namespace ulysses::test {
namespace {

Geometry geometryOf(const BenchCase& run) {
  Geometry geometry;
  geometry.nRanks = run.nRanks;
  geometry.sequence = run.sequence;
  geometry.batch = run.batch;
  geometry.heads = run.heads;
  geometry.kvHeads = run.kvHeads;
  return geometry;
}

std::vector<TensorKind> kindsOf(const BenchCase& run) {
  if (run.tensors == BenchTensors::kQkv) return {TensorKind::Query, TensorKind::Kv, TensorKind::Kv};
  return {run.tensors == BenchTensors::kSum ? TensorKind::Kv : TensorKind::Query};
}

std::vector<TensorSpec> tensorsOf(const BenchCase& run, int rank) {
  const Geometry geometry = geometryOf(run);
  const Distribution distribution = distribute(geometry);
  const auto layout = run.layout == ulyssesLayoutBSHD ? bshd : sbhd;
  std::vector<TensorSpec> tensors;
  for (const TensorKind kind : kindsOf(run)) {
    TensorSpec& tensor = tensors.emplace_back();
    tensor.type = DataType::BF16;
    tensor.kind = kind;
    tensor.sum = run.tensors == BenchTensors::kSum;
    tensor.headDim = run.headDim;
    tensor.input = layout(shardShape(geometry, distribution, tensor, Side::SequenceShard, rank));
    tensor.output = layout(shardShape(geometry, distribution, tensor, Side::HeadShard, rank));
    if (run.operation == Operation::GatherHeads) std::swap(tensor.input, tensor.output);
  }
  return tensors;
}

}  // namespace

double copyTargetOf(const BenchCase& run) {
  constexpr std::int64_t kNarrow = 512;  // bytes of a token's heads at one rank, whose rows are moved one by one
  if (run.engine == Engine::CopyEngine) return 0;
  const bool narrow = run.heads / run.nRanks * run.headDim * 2 < kNarrow;
  return narrow || run.tensors != BenchTensors::kOne ? 0.8 : 0.9;
}

double permuteTargetOf(const BenchCase& run, int passes) {
  if (run.engine == Engine::CopyEngine || passes == 0) return 0;
  return passes == 1 ? 1.6 : 2.2;
}

std::unique_ptr<Plan> planOf(const BenchCase& run, int rank) {
  return std::make_unique<Plan>(run.operation, geometryOf(run), tensorsOf(run, rank), rank);
}

CopyChoice copiesOf(const BenchCase& run, const Plan& plan) {
  if (run.engine == Engine::Sm) return {};
  CopyChoice choice = chooseCopies(plan, [&](int rank) { return tensorsOf(run, rank); });
  if (choice.copies.empty()) throw std::runtime_error(std::string(run.name) + ": " + choice.reason);
  return choice;
}

perf::Case perfCaseOf(const BenchCase& run) {
  const Distribution distribution = distribute(geometryOf(run));
  perf::Case made;
  made.op = run.operation == Operation::ScatterHeads ? ulyssesOpScatterHeads : ulyssesOpGatherHeads;
  made.layout = run.layout;
  made.type = perf::findDataType("bf16");
  made.ranks = run.nRanks;
  made.sequence = run.sequence;
  made.batch = run.batch;
  made.heads = run.heads;
  made.kvHeads = run.kvHeads;
  for (const TensorKind kind : kindsOf(run))
    made.tensors.push_back({"", kind == TensorKind::Kv ? ulyssesTensorKv : ulyssesTensorQuery, run.headDim,
                            run.tensors == BenchTensors::kSum});
  for (int rank = 0; rank < run.nRanks; ++rank) {
    const Range query = distribution.heads.query[static_cast<std::size_t>(rank)];
    const Range kv = distribution.heads.kv[static_cast<std::size_t>(rank)];
    perf::RankShare& share =
        made.shares.emplace_back(perf::RankShare{query.begin, query.count, kv.begin, kv.count, {}});
    share.positions.resize(static_cast<std::size_t>(run.sequence / run.nRanks));
    std::iota(share.positions.begin(), share.positions.end(), rank * run.sequence / run.nRanks);
  }
  return made;
}

}  // namespace ulysses::test
