// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/random_case.h"

#include <algorithm>
#include <stdexcept>

#include "support/random_geometry.h"
#include "support/random_layout.h"
#include "support/rng.h"

namespace ulysses::test {

namespace {

enum class Memory { Registered, Private, Mixed };

class CaseDrawer {
 public:
  CaseDrawer(Profile profile, std::uint64_t seed, std::int64_t index, int nRanks)
      : profile_(profile), rng_(seed, static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(nRanks)) {
    run_.seed = seed;
    run_.index = index;
    run_.nRanks = nRanks;
  }

  Case draw() {
    if (profile_ == Profile::Any) run_.op = rng_.pick({ulyssesOpScatterHeads, ulyssesOpGatherHeads});
    if (profile_ == Profile::Sums) run_.op = ulyssesOpGatherHeads;
    drawHeads(&rng_, run_.nRanks, profile_ == Profile::Sums, &run_.geometry);
    run_.geometry.batch = rng_.chance(3) ? 0 : rng_.between(1, 3);
    run_.partition = mustPartition();
    drawBudget();
    drawTensors();
    drawTokens(&rng_, run_.nRanks, maxTokens(), &run_.geometry);
    run_.partition = mustPartition();
    drawSides(&rng_, &run_);
    return run_;
  }

  static void drawSides(Rng* rng, Case* run) {
    const Memory memory = rng->pick({Memory::Registered, Memory::Private, Memory::Mixed});
    for (TensorCase& tensor : run->tensors) {
      if (tensor.inputs.empty()) tensor.inputs = drawEnd(*run, tensor, End::Input, memory, rng);
      if (tensor.outputs.empty()) tensor.outputs = drawEnd(*run, tensor, End::Output, memory, rng);
    }
  }

 private:
  Partition mustPartition() {
    std::string why;
    auto partition = partitionOf(run_.geometry, run_.nRanks, &why);
    if (!partition) throw std::logic_error("drew an invalid geometry: " + why + ": " + toText(run_.geometry));
    return *partition;
  }

  /// Bytes of the inputs of all ranks together. Small mostly; a few large enough for many chunks of staging.
  void drawBudget() {
    const std::int64_t kind = rng_.between(0, 199);
    const std::int64_t small = std::int64_t{256} << rng_.between(0, 8);
    budget_ = small;
    if (kind < 16) budget_ = std::int64_t{64 << 10} << rng_.between(1, 4);
    if (kind < 2 && run_.nRanks <= 4) budget_ = run_.nRanks * (std::int64_t{256 << 10} << rng_.between(0, 4));
  }

  std::int64_t drawHeadDim(const TensorCase& tensor, std::int64_t nTensors) {
    std::int64_t headDim = rng_.pick<std::int64_t>({1, 1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 32, 64, 80, 128, 256});
    const std::int64_t perElement = std::max<std::int64_t>(1, run_.geometry.batch) * headsOf(run_, tensor) *
                                    static_cast<std::int64_t>(bytesOf(tensor.type)) * nTensors;
    while (headDim > 1 && headDim * perElement * 4 > budget_) headDim /= 2;
    return headDim;
  }

  ulyssesDataType_t drawType(bool mustSum) {
    if (mustSum) return rng_.pick({ulyssesFloat64, ulyssesFloat32, ulyssesFloat16, ulyssesBfloat16});
    return static_cast<ulyssesDataType_t>(rng_.between(0, kDataTypes - 1));
  }

  void drawTensors() {
    const std::int64_t nTensors = rng_.chance(3) ? ULYSSES_MAX_TENSORS : rng_.between(1, 4);
    const bool gather = run_.op == ulyssesOpGatherHeads;
    for (std::int64_t index = 0; index < nTensors; ++index) {
      TensorCase tensor;
      tensor.kind = rng_.pick({ulyssesTensorQuery, ulyssesTensorKv});
      if (profile_ == Profile::Sums && index == 0) tensor.kind = ulyssesTensorKv;
      const bool kv = tensor.kind == ulyssesTensorKv;
      const bool mustSum = gather && kv && run_.partition.kvShared;
      tensor.type = drawType(mustSum || profile_ == Profile::Adjoint);
      if (index > 0 && !mustSum && rng_.chance(60)) tensor.type = run_.tensors[0].type;
      tensor.sum = mustSum || (gather && kv && canSum(tensor.type) && rng_.chance(30));
      tensor.fill = tensor.sum ? Fill::Finite : Fill::Bits;
      if (profile_ == Profile::Adjoint) tensor.fill = Fill::SmallIntegers;
      tensor.headDim = drawHeadDim(tensor, nTensors);
      run_.tensors.push_back(tensor);
    }
  }

  std::int64_t maxTokens() const {
    std::int64_t bytesPerToken = 0;
    for (const TensorCase& tensor : run_.tensors) {
      bytesPerToken += headsOf(run_, tensor) * tensor.headDim * static_cast<std::int64_t>(bytesOf(tensor.type));
    }
    const std::int64_t batch = std::max<std::int64_t>(1, run_.geometry.batch);
    return std::clamp<std::int64_t>(budget_ / (bytesPerToken * batch), 1, 4096);
  }

  static std::vector<Side> drawEnd(const Case& run, const TensorCase& tensor, End end, Memory memory, Rng* rng) {
    const Form form = drawForm(rng, end == End::Input);
    std::vector<Side> sides;
    for (int rank = 0; rank < run.nRanks; ++rank) {
      sides.push_back(drawSide(form, dimsOf(run, tensor, rank, end), rng));
      sides.back().registered = memory == Memory::Mixed ? rng->chance(50) : memory == Memory::Registered;
    }
    return sides;
  }

  Profile profile_;
  Rng rng_;
  Case run_;
  std::int64_t budget_ = 0;
};

Case turnedBack(const Case& forward) {
  Case back = forward;
  const bool gather = forward.op == ulyssesOpScatterHeads;
  back.op = gather ? ulyssesOpGatherHeads : ulyssesOpScatterHeads;
  back.seed = forward.seed + 1;  // other bytes in the images
  for (TensorCase& tensor : back.tensors) {
    tensor.sum = gather && tensor.kind == ulyssesTensorKv && forward.partition.kvShared;
    tensor.inputs.clear();
    tensor.outputs.clear();
  }
  return back;
}

Rng backRng(const Case& forward) { return Rng(forward.seed, static_cast<std::uint64_t>(forward.index), 0x6261636bu); }

}  // namespace

Case drawCase(Profile profile, std::uint64_t seed, std::int64_t index, int nRanks) {
  return CaseDrawer(profile, seed, index, nRanks).draw();
}

Case drawAdjoint(const Case& forward) {
  Case back = turnedBack(forward);
  Rng rng = backRng(forward);
  CaseDrawer::drawSides(&rng, &back);
  return back;
}

Case drawInverse(const Case& forward) {
  if (forward.partition.kvShared) throw std::logic_error("shared KV heads have no inverse");
  Case back = turnedBack(forward);
  for (std::size_t tensor = 0; tensor < back.tensors.size(); ++tensor) {
    back.tensors[tensor].inputs = forward.tensors[tensor].outputs;
  }
  Rng rng = backRng(forward);
  CaseDrawer::drawSides(&rng, &back);
  return back;
}

}  // namespace ulysses::test
