// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention_rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "attention_check.h"
#include "attention_values.h"
#include "buffer.h"
#include "system_info.h"
#include "ulysses_attention.h"

namespace ulysses::perf {
namespace {

double nowUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

enum Tensor { kQ, kK, kV, kO, kLse, kdO, kdQ, kdK, kdV, kTensors };

// The operator at one rank: its tensors in the case's layout, and a workspace for both passes.
class Operator {
 public:
  Operator(const Options& options, const Case& test, int rank, ulyssesComm_t comm)
      : options_(options), test_(test), rank_(rank), comm_(comm), geometry_(test.geometry()) {
    attention_.causal = options.causal ? 1 : 0;
    attention_.threads = options.threads;
    attention_.windowLeft = options.windowLeft;
    attention_.windowRight = options.windowRight;
    attention_.headGroups = options.headGroups;
    tensors_.headDim = options.headDim;
    tensors_.vHeadDim = options.valueHeadDim;
    tensors_.dtype = test.type->id;
    ulyssesAttentionTensor_t* const all[kTensors] = {
        &tensors_.query,          &tensors_.key,           &tensors_.value,       &tensors_.output,       &tensors_.lse,
        &tensors_.outputGradient, &tensors_.queryGradient, &tensors_.keyGradient, &tensors_.valueGradient};
    const auto allocate = options.memory == Memory::kRegistered ? Buffer::registered : Buffer::plain;
    const int count = options.backward ? kTensors : kLse + 1;
    for (int tensor = 0; tensor < count; ++tensor) {
      memory_.push_back(allocate(shapeOf(tensor).elements() * bytesOf(tensor)));
      *all[tensor] = {memory_.back().data(), test.layout, 0, {}};
    }
    fill(kQ, Input::kQuery);
    fill(kK, Input::kKey);
    fill(kV, Input::kValue);
    if (options.backward) fill(kdO, Input::kOutputGradient);
  }

  void makeWorkspace() {
    size_t most = 0;
    for (const int backward : {0, 1}) {
      size_t bytes = 0;
      if (backward > static_cast<int>(options_.backward)) break;
      require(ulyssesAttentionWorkspaceBytes(&geometry_, &tensors_, &attention_, backward, test_.ranks, rank_, &bytes));
      most = std::max(most, bytes);
    }
    const auto allocate = options_.memory == Memory::kRegistered ? Buffer::registered : Buffer::plain;
    workspace_.push_back(allocate(static_cast<int64_t>(most)));
  }

  double run(Pass pass, ulyssesAttentionStats_t& stats) {
    auto* const attend = pass == Pass::kForward ? ulyssesAttentionForward : ulyssesAttentionBackward;
    const double start = nowUs();
    require(attend(&geometry_, &tensors_, &attention_, workspace_.front().data(),
                   static_cast<size_t>(workspace_.front().bytes()), comm_, nullptr, &stats));
    return nowUs() - start;
  }

  int64_t tensorBytes() const {
    int64_t bytes = 0;
    for (const Buffer& buffer : memory_) bytes += buffer.bytes();
    return bytes;
  }
  int64_t workspaceBytes() const { return workspace_.front().bytes(); }

  Results results() const {
    return {[this](Checked tensor, int64_t s, int64_t b, int64_t h) {
      constexpr Tensor kOf[kCheckedTensors] = {kO, kLse, kdQ, kdK, kdV};
      return row(kOf[static_cast<int>(tensor)], s, b, h);
    }};
  }

 private:
  static void require(ulyssesResult_t result) {
    if (result == ulyssesSuccess) return;
    const std::string text = ulyssesAttentionGetLastError();
    if (result == ulyssesInvalidArgument) throw InputError(text);
    throw RunError(fmt::format("{}: {}", ulyssesGetErrorString(result), text));
  }

  bool isKv(int tensor) const { return tensor == kK || tensor == kV || tensor == kdK || tensor == kdV; }
  int64_t bytesOf(int tensor) const { return tensor == kLse ? 4 : test_.type->bytes; }
  Shape shapeOf(int tensor) const {
    const bool isValue = tensor == kV || tensor == kO || tensor == kdO || tensor == kdV;
    const int64_t dim = tensor == kLse ? 1 : isValue ? options_.valueHeadDim : options_.headDim;
    return {test_.tokenCount(rank_), test_.batch, isKv(tensor) ? test_.kvHeads : test_.heads, dim};
  }
  std::byte* row(int tensor, int64_t s, int64_t b, int64_t h) const {
    const Shape shape = shapeOf(tensor);
    const ByteStrides strides = test_.strides(shape);  // of elements of the case's type
    const int64_t place = s * strides.token + b * strides.batch + h * strides.head;
    return memory_[static_cast<size_t>(tensor)].data() + place / test_.type->bytes * bytesOf(tensor);
  }
  void fill(int tensor, Input input) {
    const Shape shape = shapeOf(tensor);
    const std::vector<int64_t>& positions = test_.shares[static_cast<size_t>(rank_)].positions;
    for (int64_t s = 0; s < shape.tokens; ++s)
      for (int64_t b = 0; b < shape.batch; ++b)
        for (int64_t h = 0; h < shape.heads; ++h) {
          std::byte* const to = row(tensor, s, b, h);
          for (int64_t d = 0; d < shape.headDim; ++d) {
            const uint64_t bits = toBits(test_.type->id, inputValue(input, positions[static_cast<size_t>(s)], b, h, d));
            std::memcpy(to + d * test_.type->bytes, &bits, static_cast<size_t>(test_.type->bytes));
          }
        }
  }

  const Options& options_;
  const Case& test_;
  int rank_;
  ulyssesComm_t comm_;
  ulyssesGeometry_t geometry_;
  ulyssesAttentionTensors_t tensors_ = ULYSSES_ATTENTION_TENSORS_INITIALIZER;
  ulyssesAttentionOptions_t attention_ = ULYSSES_ATTENTION_OPTIONS_INITIALIZER;
  std::vector<Buffer> memory_, workspace_;
};

// One rank's rounds.
class RankRun {
 public:
  RankRun(const Options& options, const AttentionSchedule& schedule, SharedArea& area, AttentionFigures& figures,
          int rank, Operator& op)
      : options_(options),
        schedule_(schedule),
        area_(area),
        figures_(figures),
        rank_(rank),
        op_(op),
        barrier_(area, Side::kRanks, rank) {}

  int64_t memory() {
    barrier_.wait();
    const int64_t bytes = proportionalBytes();
    barrier_.wait();
    return bytes;
  }

  void warm() {
    ulyssesAttentionStats_t stats{};
    for (int i = 0; i < schedule_.warmups; ++i) {
      (void)op_.run(Pass::kForward, stats);
      area_.slot(Side::kRanks, rank_).beat();
      if (options_.backward) (void)op_.run(Pass::kBackward, stats);
      area_.slot(Side::kRanks, rank_).beat();
    }
    figures_.headGroups = stats.headGroups;
  }

  void time(int round) {
    for (int i = 0; i < schedule_.block; ++i) {
      const int iteration = round * schedule_.block + i;
      timePass(Pass::kForward, iteration);
      if (options_.backward) timePass(Pass::kBackward, iteration);
    }
    barrier_.wait();
  }

 private:
  void timePass(Pass pass, int iteration) {
    const int index = static_cast<int>(pass);
    ulyssesAttentionStats_t stats{};
    barrier_.wait();
    area_.timesUs(index, rank_)[iteration] = op_.run(pass, stats);
    figures_.exposedUs[index] += stats.exposedUs / schedule_.iterations();
    figures_.localUs[index] += stats.localUs / schedule_.iterations();
    area_.slot(Side::kRanks, rank_).beat();
  }

  const Options& options_;
  const AttentionSchedule& schedule_;
  SharedArea& area_;
  AttentionFigures& figures_;
  int rank_;
  Operator& op_;
  Barrier barrier_;
};

}  // namespace

void runAttentionRank(const Options& options, const Case& test, const AttentionSchedule& schedule, SharedArea& area,
                      AttentionFigures& figures, int rank, ulyssesComm_t comm,
                      const std::function<void(int round)>& onRoundDone) {
  RankSlot& slot = area.slot(Side::kRanks, rank);
  slot.enter(Phase::kAllocating);
  Operator op(options, test, rank, comm);
  RankRun run(options, schedule, area, figures, rank, op);
  const int64_t before = run.memory();
  op.makeWorkspace();
  slot.enter(Phase::kWarming);
  run.warm();
  figures.peakBytes = run.memory() - before;  // nothing is freed before the end
  figures.tensorBytes = op.tensorBytes();
  figures.workspaceBytes = op.workspaceBytes();
  slot.enter(Phase::kVerifying);
  if (options.check) checkSamples(options, test, rank, op.results(), figures);
  for (int round = 0; round < schedule.rounds; ++round) {
    slot.enter(Phase::kTiming);
    run.time(round);
    slot.enter(Phase::kWaiting);
    onRoundDone(round);
  }
  slot.enter(Phase::kEnding);
}

}  // namespace ulysses::perf
