// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/coverage.h"

#include <algorithm>

namespace ulysses::test {

namespace {

bool anyRank(const Case& run, bool (*property)(const RankPart&)) {
  return std::any_of(run.partition.ranks.begin(), run.partition.ranks.end(), property);
}

bool anySide(const Case& run, bool (*property)(const Side&)) {
  return std::any_of(run.tensors.begin(), run.tensors.end(), [property](const TensorCase& tensor) {
    return std::any_of(tensor.inputs.begin(), tensor.inputs.end(), property) ||
           std::any_of(tensor.outputs.begin(), tensor.outputs.end(), property);
  });
}

void countGeometry(const Case& run, Coverage* counts) {
  const GeometrySpec& geometry = run.geometry;
  const std::int64_t kvHeads = kvHeadsOf(geometry);
  (*counts)["op scatter"] += run.op == ulyssesOpScatterHeads;
  (*counts)["op gather"] += run.op == ulyssesOpGatherHeads;
  (*counts)["heads MHA"] += kvHeads == geometry.heads;
  (*counts)["heads MQA"] += kvHeads == 1 && geometry.heads > 1;
  (*counts)["heads GQA"] += kvHeads > 1 && kvHeads < geometry.heads;
  (*counts)["heads not dividing"] += kvHeads % run.nRanks != 0 && run.nRanks % kvHeads != 0;
  (*counts)["heads shared"] += run.partition.kvShared;
  (*counts)["heads explicit"] += !geometry.queryHeads.empty();
  (*counts)["heads none at a rank"] += anyRank(run, [](const RankPart& part) { return part.queryCount == 0; });
  (*counts)["tokens zigzag"] += geometry.order == ulyssesOrderZigzag;
  (*counts)["tokens zigzag packed"] += geometry.order == ulyssesOrderZigzag && !geometry.cuSeqlens.empty();
  (*counts)["tokens explicit"] += !geometry.tokens.empty();
  (*counts)["tokens none at a rank"] += anyRank(run, [](const RankPart& part) { return part.positions.empty(); });
  (*counts)["tokens none"] += geometry.sequence == 0;
  (*counts)["batch 0"] += geometry.batch == 0;
}

void countTensors(const Case& run, Coverage* counts) {
  for (const TensorCase& tensor : run.tensors) {
    ++(*counts)[std::string("type ") + nameOf(tensor.type)];
    (*counts)["tensor sum"] += tensor.sum && run.partition.kvShared;
    (*counts)["tensor D=1"] += tensor.headDim == 1;
    (*counts)["tensor other D"] += tensor.headDim != run.tensors[0].headDim;
    for (const Side& side : tensor.inputs) {
      (*counts)["input broadcast"] += side.strides.batch == 0 && run.geometry.batch > 1;
      (*counts)["input negative"] += side.strides.sequence < 0 || side.strides.batch < 0 || side.strides.head < 0;
    }
  }
  const bool registered = anySide(run, [](const Side& side) { return side.registered; });
  const bool plain = anySide(run, [](const Side& side) { return !side.registered; });
  (*counts)[registered ? (plain ? "memory mixed" : "memory registered") : "memory private"] += 1;
  (*counts)["memory unaligned"] += anySide(run, [](const Side& side) { return side.misalignment % 8 != 0; });
  (*counts)["layout strided"] += anySide(run, [](const Side& side) { return side.layout == ulyssesLayoutStrided; });
  (*counts)["layout SBHD"] += anySide(run, [](const Side& side) { return side.layout == ulyssesLayoutSBHD; });
  (*counts)["layout BSHD"] += anySide(run, [](const Side& side) { return side.layout == ulyssesLayoutBSHD; });
  (*counts)["layout BHSD"] += anySide(run, [](const Side& side) { return side.layout == ulyssesLayoutBHSD; });
}

}  // namespace

Coverage coverageOf(const RunOptions& options) {
  Coverage counts;
  for (std::int64_t index = options.first; index < options.first + options.count; ++index) {
    const Case run = caseOf(options, index);
    ++counts[std::string("ranks ") + (run.nRanks < 10 ? "0" : "") + std::to_string(run.nRanks)];
    countGeometry(run, &counts);
    countTensors(run, &counts);
  }
  return counts;
}

std::string toText(const Coverage& coverage) {
  std::string text;
  for (const auto& [name, count] : coverage) text += (text.empty() ? "" : ", ") + name + " " + std::to_string(count);
  return text;
}

}  // namespace ulysses::test
