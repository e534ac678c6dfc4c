// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/attention_case.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "attention/held_tensor.h"
#include "support/element.h"
#include "support/partition.h"
#include "support/random_geometry.h"

namespace ulysses::test {

namespace {

/// Communicators of so many ranks, as threads, made once.
ulyssesComm_t commOf(int nRanks, int rank) {
  static std::map<int, std::vector<ulyssesComm_t>> made;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::vector<ulyssesComm_t>& comms = made[nRanks];
  if (comms.empty()) {
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.timeout_ms = 60'000;
    comms.resize(static_cast<std::size_t>(nRanks));
    if (ulyssesCommInitAll(comms.data(), nRanks, &config) != ulyssesSuccess) std::abort();
  }
  return comms[static_cast<std::size_t>(rank)];
}

Whole drawWhole(Rng* rng, const AttentionCase& test, std::int64_t heads, std::int64_t dim) {
  Whole whole(test.geometry.sequence, test.geometry.batch, heads, dim);
  std::uint8_t element[8];
  for (double& value : whole.values) {
    encode(test.dtype, static_cast<double>(rng->between(-4096, 4096)) / 2500.0, element);
    value = decode(test.dtype, element);
  }
  return whole;
}

std::vector<float> drawPerHead(Rng* rng, const AttentionCase& test, bool wanted, std::int64_t low, std::int64_t high) {
  std::vector<float> values;
  for (std::int64_t h = 0; wanted && h < test.geometry.heads; ++h)
    values.push_back(static_cast<float>(rng->between(low, high)) / 256.0F);
  return values;
}

ulyssesAttentionOptions_t optionsOf(const AttentionCase& test, const AttentionInputs& in) {
  ulyssesAttentionOptions_t options = ULYSSES_ATTENTION_OPTIONS_INITIALIZER;
  options.causal = test.causal;
  options.threads = test.threads;
  options.scale = test.scale;
  options.windowLeft = test.left;
  options.windowRight = test.right;
  options.sinks = in.sinks.empty() ? nullptr : in.sinks.data();
  options.slopes = in.slopes.empty() ? nullptr : in.slopes.data();
  options.headGroups = test.headGroups;
  if (test.oracle) {
    options.local = ulyssesAttentionOracle;
    options.localWorkspace = ulyssesAttentionOracleWorkspace;
  }
  return options;
}

/// One rank's end of a case.
class RankRun {
 public:
  RankRun(const AttentionCase& test, const AttentionInputs& in, const Partition& parts, int rank)
      : test_(test),
        in_(in),
        part_(parts.ranks[static_cast<std::size_t>(rank)]),
        rank_(rank),
        geometry_(test.geometry.toC()),
        options_(optionsOf(test, in)),
        sinkGradients_(static_cast<std::size_t>(part_.queryCount), -77.0F) {
    const std::int64_t heads = test.geometry.heads, kv = test.kvHeads(), d = test.headDim, dv = test.vHeadDim;
    const auto hold = [&](std::size_t place, ulyssesDataType_t type, std::int64_t count, std::int64_t dim) {
      held_[place] = std::make_unique<HeldTensor>(type, test.holds[place], tokens(), test.geometry.batch, count,
                                                  count / kv, dim, test.registered);
    };
    hold(kQuery, test.dtype, heads, d);
    hold(kKey, test.dtype, kv, d);
    hold(kValue, test.dtype, kv, dv);
    hold(kOutput, test.dtype, heads, dv);
    hold(kLse, ulyssesFloat32, heads, 1);
    hold(kOutputGradient, test.dtype, heads, dv);
    hold(kQueryGradient, test.dtype, heads, d);
    hold(kKeyGradient, test.dtype, kv, d);
    hold(kValueGradient, test.dtype, kv, dv);
    held_[kQuery]->fill(in.query, part_.positions);
    held_[kKey]->fill(in.key, part_.positions);
    held_[kValue]->fill(in.value, part_.positions);
    held_[kOutputGradient]->fill(in.outputGradient, part_.positions);
  }

  void run(ulyssesAttentionStats_t* stats) {
    if (!test_.keepLse) {  // once without it; backward needs it
      ulyssesAttentionTensors_t without = tensors();
      without.lse = {};
      note(call(false, without, nullptr));
    }
    note(call(false, tensors(), stats));
    if (problem_.empty()) note(call(true, tensors(), nullptr));
  }

  /// Adds what this rank holds to the whole.
  void put(AttentionRun* out) const {
    Whole* const to[] = {&out->output, &out->lse, &out->queryGradient, &out->keyGradient, &out->valueGradient};
    const Place places[] = {kOutput, kLse, kQueryGradient, kKeyGradient, kValueGradient};
    std::string wrong = problem_;
    for (std::size_t i = 0; i < std::size(places) && wrong.empty(); ++i)
      wrong = held_[places[i]]->read(part_.positions, to[i]);
    for (std::int64_t h = 0; h < part_.queryCount && test_.sinks; ++h)
      out->sinkGradients[static_cast<std::size_t>(part_.queryBegin + h)] = sinkGradients_[static_cast<std::size_t>(h)];
    if (!wrong.empty()) out->problem += "rank " + std::to_string(rank_) + ": " + wrong + "\n";
  }

 private:
  enum Place : std::size_t {
    kQuery,
    kKey,
    kValue,
    kOutput,
    kLse,
    kOutputGradient,
    kQueryGradient,
    kKeyGradient,
    kValueGradient,
    kPlaces
  };

  std::int64_t tokens() const { return static_cast<std::int64_t>(part_.positions.size()); }

  ulyssesAttentionTensors_t tensors() {
    ulyssesAttentionTensors_t t = ULYSSES_ATTENTION_TENSORS_INITIALIZER;
    t.headDim = test_.headDim;
    t.vHeadDim = test_.vHeadDim == test_.headDim ? 0 : test_.vHeadDim;
    t.dtype = test_.dtype;
    ulyssesAttentionTensor_t* const all[] = {&t.query,         &t.key,         &t.value,
                                             &t.output,        &t.lse,         &t.outputGradient,
                                             &t.queryGradient, &t.keyGradient, &t.valueGradient};
    for (std::size_t place = 0; place < kPlaces; ++place) *all[place] = held_[place]->toC();
    if (test_.sinks) t.sinkGradients = sinkGradients_.data();
    return t;
  }

  std::string call(bool backward, const ulyssesAttentionTensors_t& t, ulyssesAttentionStats_t* stats) {
    std::size_t bytes = 0;
    if (ulyssesAttentionWorkspaceBytes(&geometry_, &t, &options_, backward, test_.nRanks, rank_, &bytes))
      return ulyssesAttentionGetLastError();
    const Block workspace(test_.ownWorkspace ? 0 : bytes, test_.registered);
    if (workspace.data() == nullptr) bytes = 0;
    auto* const attend = backward ? ulyssesAttentionBackward : ulyssesAttentionForward;
    const ulyssesResult_t result =
        attend(&geometry_, &t, &options_, workspace.data(), bytes, commOf(test_.nRanks, rank_), nullptr, stats);
    return result == ulyssesSuccess ? "" : ulyssesAttentionGetLastError();
  }

  void note(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
  }

  const AttentionCase& test_;
  const AttentionInputs& in_;
  const RankPart& part_;
  int rank_;
  ulyssesGeometry_t geometry_;
  ulyssesAttentionOptions_t options_;
  std::unique_ptr<HeldTensor> held_[kPlaces];
  std::vector<float> sinkGradients_;
  std::string problem_;
};

/// KV heads of each rank when all have as many and share none, else 0.
std::int64_t evenKvHeads(const AttentionCase& test) {
  const auto parts = partitionOf(test.geometry, test.nRanks);
  const std::int64_t kv = parts->ranks[0].kvCount, query = parts->ranks[0].queryCount;
  for (const RankPart& part : parts->ranks)
    if (part.kvCount != kv || part.queryCount != query) return 0;
  return kv * test.nRanks == test.kvHeads() ? kv : 0;
}

void drawGroups(Rng* rng, AttentionCase* test) {
  const std::int64_t even = evenKvHeads(*test);
  if (even == 0 || rng->chance(40)) return;
  test->headGroups = static_cast<int>(even);
  if (test->geometry.batch > 1) return;
  do test->headGroups = static_cast<int>(rng->between(1, even));
  while (even % test->headGroups != 0);
}

void drawMask(Rng* rng, AttentionCase* test) {
  test->causal = rng->chance(50);
  if (rng->chance(40)) test->left = rng->between(0, test->geometry.sequence + 2);
  if (rng->chance(30)) test->right = rng->between(0, test->geometry.sequence + 2);
  GeometrySpec& geometry = test->geometry;
  if (!geometry.cuSeqlens.empty() || geometry.order == ulyssesOrderZigzag || rng->chance(60)) return;
  geometry.cuSeqlens = {0};
  for (const std::int64_t part : drawParts(rng, geometry.sequence, static_cast<int>(rng->between(1, 6))))
    geometry.cuSeqlens.push_back(geometry.cuSeqlens.back() + part);
  geometry.nSequences = static_cast<std::int64_t>(geometry.cuSeqlens.size()) - 1;
}

}  // namespace

std::string toText(const AttentionCase& t) {
  std::string text = "P=" + std::to_string(t.nRanks) + " " + toText(t.geometry) + " " + nameOf(t.dtype) +
                     " D=" + std::to_string(t.headDim) + " Dv=" + std::to_string(t.vHeadDim) +
                     " scale=" + std::to_string(t.scale) + " window=" + std::to_string(t.left) + "," +
                     std::to_string(t.right) + " groups=" + std::to_string(t.headGroups) +
                     " threads=" + std::to_string(t.threads) + " holds=";
  for (const Hold hold : t.holds) text += std::to_string(static_cast<int>(hold));
  if (t.causal) text += " causal";
  if (t.sinks) text += " sinks";
  if (t.slopes) text += " slopes";
  if (t.oracle) text += " oracle";
  if (t.registered) text += " registered";
  if (t.ownWorkspace) text += " own-workspace";
  return text;
}

AttentionInputs inputsOf(const AttentionCase& test) {
  Rng rng(test.seed, 0x617474u, 0);
  AttentionInputs in;
  in.query = drawWhole(&rng, test, test.geometry.heads, test.headDim);
  in.key = drawWhole(&rng, test, test.kvHeads(), test.headDim);
  in.value = drawWhole(&rng, test, test.kvHeads(), test.vHeadDim);
  in.outputGradient = drawWhole(&rng, test, test.geometry.heads, test.vHeadDim);
  in.mask = {test.causal, test.left, test.right, test.geometry.cuSeqlens};
  in.scale = test.scale != 0 ? test.scale : 1 / std::sqrt(static_cast<double>(test.headDim));
  in.sinks = drawPerHead(&rng, test, test.sinks, -512, 512);
  in.slopes = drawPerHead(&rng, test, test.slopes, 0, 128);
  return in;
}

AttentionRun runCase(const AttentionCase& test, const AttentionInputs& in) {
  const GeometrySpec& g = test.geometry;
  const auto parts = partitionOf(g, test.nRanks);
  AttentionRun out;
  out.output = Whole(g.sequence, g.batch, g.heads, test.vHeadDim);
  out.lse = Whole(g.sequence, g.batch, g.heads, 1);
  out.queryGradient = Whole(g.sequence, g.batch, g.heads, test.headDim);
  out.keyGradient = Whole(g.sequence, g.batch, test.kvHeads(), test.headDim);
  out.valueGradient = Whole(g.sequence, g.batch, test.kvHeads(), test.vHeadDim);
  out.sinkGradients.resize(static_cast<std::size_t>(g.heads));
  out.stats.resize(static_cast<std::size_t>(test.nRanks));
  std::vector<std::unique_ptr<RankRun>> ranks;
  ranks.reserve(static_cast<std::size_t>(test.nRanks));
  for (int rank = 0; rank < test.nRanks; ++rank) ranks.push_back(std::make_unique<RankRun>(test, in, *parts, rank));
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    threads.emplace_back([&, rank] { ranks[rank]->run(&out.stats[rank]); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& rank : ranks) rank->put(&out);
  return out;
}

AttentionCase drawCase(std::uint64_t seed, std::int64_t index) {
  Rng rng(seed, 0x6361u, static_cast<std::uint64_t>(index));
  AttentionCase test;
  test.seed = rng.next();
  test.nRanks = static_cast<int>(rng.between(1, 8));
  drawHeads(&rng, test.nRanks, test.nRanks > 1 && rng.chance(30), &test.geometry);
  const bool isLong = rng.chance(6);
  if (rng.chance(15)) {  // several KV heads at every rank, for head groups
    test.geometry.queryHeads.clear();
    test.geometry.kvHeads = test.nRanks * rng.pick<std::int64_t>({2, 3, 4, 4, 6});
    test.geometry.heads = test.geometry.kvHeads * rng.between(1, 2);
  }
  drawTokens(&rng, test.nRanks, isLong ? 400 : 60, &test.geometry);
  test.geometry.batch = rng.pick<std::int64_t>({0, 1, 1, 1, 1, 2, 2, 3});
  test.dtype = rng.pick({ulyssesFloat32, ulyssesFloat16, ulyssesBfloat16});
  test.headDim = rng.pick<std::int64_t>({1, 3, 4, 8, 8, 16, 16, 20, 32, 64});
  test.vHeadDim = rng.chance(70) ? test.headDim : rng.pick<std::int64_t>({1, 5, 8, 16, 24, 48});
  if (rng.chance(6)) test.headDim = test.vHeadDim = rng.pick<std::int64_t>({80, 128, 160});
  if (rng.chance(25)) test.scale = static_cast<double>(rng.between(-20, 40)) / 64.0;
  drawMask(&rng, &test);
  test.sinks = rng.chance(30);
  test.slopes = rng.chance(30);
  drawGroups(&rng, &test);
  test.threads = static_cast<int>(rng.between(1, 3));
  test.oracle = rng.chance(25);
  test.registered = rng.chance(50);
  test.ownWorkspace = rng.chance(30);
  test.keepLse = rng.chance(80);
  for (Hold& hold : test.holds) hold = static_cast<Hold>(rng.between(0, kHolds - 1));
  return test;
}

}  // namespace ulysses::test
