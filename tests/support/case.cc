// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/case.h"

namespace ulysses::test {

namespace {

std::string toText(const ulyssesStrides_t& strides) {
  return "(" + std::to_string(strides.sequence) + " " + std::to_string(strides.batch) + " " +
         std::to_string(strides.group) + " " + std::to_string(strides.head) + ")";
}

std::string toText(const Side& side) {
  constexpr const char* kNames[] = {"SBHD", "BSHD", "BHSD", "strided"};
  return std::string(kNames[side.layout]) + toText(side.strides) + (side.registered ? " registered" : " private") +
         " +" + std::to_string(side.misalignment);
}

std::string toText(const TensorCase& tensor) {
  std::string text = std::string(tensor.kind == ulyssesTensorKv ? "kv " : "query ") + nameOf(tensor.type) +
                     " D=" + std::to_string(tensor.headDim) + (tensor.sum ? " sum" : "");
  for (std::size_t rank = 0; rank < tensor.inputs.size(); ++rank) {
    text += "\n    rank " + std::to_string(rank) + ": " + toText(tensor.inputs[rank]) + " -> " +
            toText(tensor.outputs[rank]);
  }
  return text;
}

Rng imageRng(const Case& run, std::size_t tensor, int rank, End end) {
  const auto place = static_cast<std::uint64_t>(rank) * 64 + tensor * 4 + (end == End::Input ? 0 : 1);
  return Rng(run.seed ^ 0x696d616765u, static_cast<std::uint64_t>(run.index), place);
}

}  // namespace

std::int64_t headsOf(const Case& run, const TensorCase& tensor) {
  return tensor.kind == ulyssesTensorKv ? kvHeadsOf(run.geometry) : run.geometry.heads;
}

std::int64_t firstHead(const Case& run, const TensorCase& tensor, int rank) {
  const RankPart& part = run.partition.ranks.at(static_cast<std::size_t>(rank));
  return tensor.kind == ulyssesTensorKv ? part.kvBegin : part.queryBegin;
}

Dims dimsOf(const Case& run, const TensorCase& tensor, int rank, End end) {
  const RankPart& part = run.partition.ranks.at(static_cast<std::size_t>(rank));
  const bool query = tensor.kind == ulyssesTensorQuery;
  if ((run.op == ulyssesOpScatterHeads) == (end == End::Input)) {
    const std::int64_t group = query ? run.geometry.heads / kvHeadsOf(run.geometry) : 1;
    const auto tokens = static_cast<std::int64_t>(part.positions.size());
    return {tokens, run.geometry.batch, headsOf(run, tensor), group, tensor.headDim};
  }
  const std::int64_t group = query && part.kvCount > 0 ? part.queryCount / part.kvCount : 1;
  return {run.geometry.sequence, run.geometry.batch, query ? part.queryCount : part.kvCount, group, tensor.headDim};
}

Images inputImages(const Case& run) {
  Images images;
  for (std::size_t index = 0; index < run.tensors.size(); ++index) {
    const TensorCase& tensor = run.tensors[index];
    auto& ofTensor = images.emplace_back();
    for (int rank = 0; rank < run.nRanks; ++rank) {
      ofTensor.push_back(makeImage(tensor.inputs.at(static_cast<std::size_t>(rank)),
                                   dimsOf(run, tensor, rank, End::Input), tensor.type, tensor.fill,
                                   imageRng(run, index, rank, End::Input)));
    }
  }
  return images;
}

Image outputImage(const Case& run, std::size_t tensor, int rank) {
  const TensorCase& tensorCase = run.tensors.at(tensor);
  return makeImage(tensorCase.outputs.at(static_cast<std::size_t>(rank)), dimsOf(run, tensorCase, rank, End::Output),
                   tensorCase.type, Fill::Bits, imageRng(run, tensor, rank, End::Output));
}

std::string toText(const Case& run) {
  std::string text = std::string(run.op == ulyssesOpScatterHeads ? "ScatterHeads" : "GatherHeads") +
                     " P=" + std::to_string(run.nRanks) + " " + toText(run.geometry);
  for (const TensorCase& tensor : run.tensors) text += "\n  tensor " + toText(tensor);
  return text;
}

}  // namespace ulysses::test
