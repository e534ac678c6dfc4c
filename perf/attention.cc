// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "attention_report.h"
#include "preparation.h"
#include "python_peer.h"
#include "shared.h"
#include "supervisor.h"

namespace ulysses::perf {
namespace {

// What all ranks write and the tool reads.
class SharedFigures {
 public:
  explicit SharedFigures(int nRanks) : nRanks_(nRanks) {
    memory_ = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throwErrno("mmap");
  }
  SharedFigures(const SharedFigures&) = delete;
  SharedFigures& operator=(const SharedFigures&) = delete;
  ~SharedFigures() { munmap(memory_, bytes()); }
  AttentionFigures& of(int rank) const { return static_cast<AttentionFigures*>(memory_)[rank]; }

 private:
  size_t bytes() const { return static_cast<size_t>(nRanks_) * sizeof(AttentionFigures); }
  int nRanks_;
  void* memory_;
};

// Multiplications and additions of the tiles that the mask leaves: Q K^T and P V; backward also dO V^T, P^T dO, dS K
// and dS^T Q, and Q K^T once more.
double flopsOf(const Options& options, const Case& test, Pass pass) {
  const auto dim = static_cast<double>(options.headDim), vDim = static_cast<double>(options.valueHeadDim);
  const double perPair = pass == Pass::kForward ? 2 * (dim + vDim) : 2 * (3 * dim + 2 * vDim);
  return perPair * visiblePairs(options, test.sequence) * static_cast<double>(test.batch * test.heads);
}

// About two seconds of the library by itself, at a rate that a core may reach.
AttentionSchedule scheduleOf(const Options& options, const Case& test, size_t nPeers) {
  constexpr double kFlopsPerSecond = 5e10, kSeconds = 2;
  constexpr int kRounds = 10;
  double seconds = flopsOf(options, test, Pass::kForward) / kFlopsPerSecond;
  if (options.backward) seconds += flopsOf(options, test, Pass::kBackward) / kFlopsPerSecond;
  const int iterations =
      options.iterations > 0 ? options.iterations : static_cast<int>(std::clamp(kSeconds / (seconds + 1e-9), 5., 200.));
  const int warmups = options.warmups >= 0 ? options.warmups : std::clamp(iterations / 10, 1, 10);
  const int rounds = nPeers == 0 ? 1 : std::min(kRounds, iterations);
  return {std::max(warmups, 1), rounds, std::max(1, iterations / rounds)};  // checks look at what warm-up leaves
}

std::vector<std::string> peerCommand(const Options& options, const std::string& kind) {
  std::vector<std::string> command = {options.python, options.attentionPeer, kind};
  const std::pair<const char*, int64_t> numbers[] = {
      {"--ranks", options.ranks},      {"--threads", options.threads},
      {"--seq", options.sequence},     {"--batch", options.batch},
      {"--heads", options.heads},      {"--kv-heads", options.kvHeads},
      {"--head-dim", options.headDim}, {"--v-head-dim", options.valueHeadDim}};
  for (const auto& [name, value] : numbers) command.insert(command.end(), {name, std::to_string(value)});
  command.insert(command.end(), {"--dtype", std::string(options.type->name)});
  if (options.causal) command.emplace_back("--causal");
  if (options.backward) command.emplace_back("--backward");
  return command;
}

// Started before the library's own threads are there.
std::vector<PythonPeer> startPeers(const Options& options, AttentionResult& result) {
  std::vector<PythonPeer> programs;
  for (const auto& [wanted, kind] :
       {std::pair{options.compareTorch, "torch"}, {options.compareDeepspeed, "deepspeed"}}) {
    if (!wanted) continue;
    AttentionPeer peer;
    peer.name = kind;
    if (options.windowLeft >= 0 || options.windowRight >= 0) {
      peer.unavailable = "it has no sliding window";
    } else if (access(options.python.c_str(), X_OK) != 0) {
      peer.unavailable =
          options.python + " is not there; tests/setup/venv.sh makes build/venv, or name one by --python";
    } else {
      programs.emplace_back(peerCommand(options, kind));
      peer.unavailable = programs.back().waitReady();
      if (!peer.unavailable.empty()) programs.pop_back();
    }
    if (options.compareStrict && !peer.unavailable.empty())
      throw RunError(fmt::format("--compare {}: {}", kind, peer.unavailable));
    result.peers.push_back(std::move(peer));
  }
  return programs;
}

// The tool's side of a run.
class Run {
 public:
  Run(const Options& options, const Case& test)
      : options_(options),
        test_(test),
        programs_(startPeers(options, result_)),
        schedule_(scheduleOf(options, test, programs_.size())),
        area_(SharedArea::create(options.ranks, schedule_.iterations())),
        figures_(options.ranks) {}

  AttentionResult finish() {
    Supervisor supervisor(options_, area_);
    const int roundDone = supervisor.caseDoneFd();
    supervisor.forkRanks([&](int rank) {
      runAttentionRank(options_, test_, schedule_, area_, figures_.of(rank), rank, [roundDone] {
        const uint64_t one = 1;
        if (write(roundDone, &one, sizeof one) != sizeof one) throwErrno("write to the tool");
      });
    });
    if (ulyssesGetUniqueId(&area_.uniqueId()) != ulyssesSuccess) throw RunError(ulyssesGetLastError(nullptr));
    storeAndWake(area_.started(), 1);
    supervisor.watch([&] { endRound(); }, [&] { showProgress(); });
    collect();
    return std::move(result_);
  }

 private:
  int passes() const { return options_.backward ? 2 : 1; }

  std::vector<double> slowest(Pass pass, int begin, int count) const {
    std::vector<double> times(static_cast<size_t>(count), 0);
    for (int rank = 0; rank < options_.ranks; ++rank)
      for (int i = 0; i < count; ++i)
        times[static_cast<size_t>(i)] =
            std::max(times[static_cast<size_t>(i)], area_.timesUs(static_cast<int>(pass), rank)[begin + i]);
    return times;
  }

  // The ranks sleep until it counts the round as shown.
  void endRound() {
    auto program = programs_.begin();
    for (AttentionPeer& peer : result_.peers)
      if (peer.unavailable.empty()) measurePeer(peer, *program++);
    storeAndWake(area_.shown(), static_cast<uint32_t>(++round_));
  }

  void measurePeer(AttentionPeer& peer, PythonPeer& program) {
    const auto answer = nlohmann::json::parse(program.measure(schedule_.block));
    constexpr const char* kNames[kPasses] = {"forward", "backward"};
    for (int pass = 0; pass < passes(); ++pass) {
      std::vector<double> times;
      for (const double seconds : answer.at(kNames[pass])) times.push_back(seconds * 1e6);
      const auto ours = slowest(static_cast<Pass>(pass), round_ * schedule_.block, schedule_.block);
      peer.roundRatios[pass].push_back(median(times) / median(ours));
      peer.timesUs[pass].insert(peer.timesUs[pass].end(), times.begin(), times.end());
    }
  }

  void showProgress() const {
    if (isatty(STDERR_FILENO) != 0)
      fmt::print(stderr, "\r# {} of {} rounds, rank 0: {} \r", round_, schedule_.rounds,
                 phaseName(area_.slot(Side::kRanks, 0).phase));
  }

  void collect() {
    for (int pass = 0; pass < passes(); ++pass) {
      result_.times[pass] = summarize(slowest(static_cast<Pass>(pass), 0, schedule_.iterations()));
      result_.flops[pass] = flopsOf(options_, test_, static_cast<Pass>(pass));
    }
    for (int rank = 0; rank < options_.ranks; ++rank) result_.ranks.push_back(figures_.of(rank));
  }

  const Options& options_;
  const Case& test_;
  AttentionResult result_{};
  std::vector<PythonPeer> programs_;
  AttentionSchedule schedule_;
  SharedArea area_;
  SharedFigures figures_;
  int round_ = 0;
};

}  // namespace

int runAttention(const Options& options) {
  Options shapes = options;
  shapes.backward = false;  // of the exchange there, from which sizes and shares are
  const Case test = makeCase(shapes, options.sequence);
  checkMemory(shapes, {test});
  printAttentionHeader(options);
  const AttentionResult result = Run(options, test).finish();
  printAttention(options, test, result);
  if (!options.jsonFile.empty()) writeAttentionJson(options, test, result);
  return !options.check || isAccurate(options, result) ? 0 : kExitFailure;
}

}  // namespace ulysses::perf
