// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "attention_result.h"
#include "python_peer.h"
#include "rank.h"
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
  std::vector<AttentionFigures> all() const { return {&of(0), &of(0) + nRanks_}; }

 private:
  size_t bytes() const { return static_cast<size_t>(nRanks_) * sizeof(AttentionFigures); }
  int nRanks_;
  void* memory_;
};

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
        schedule_(attentionSchedule(options, test, programs_.size())),
        area_(SharedArea::create(options.ranks, schedule_.iterations())),
        figures_(options.ranks) {}

  AttentionResult finish() {
    Supervisor supervisor(options_, area_);
    const int roundDone = supervisor.caseDoneFd();
    supervisor.forkRanks([&](int rank) { runForkedRank(rank, roundDone); });
    if (ulyssesGetUniqueId(&area_.uniqueId()) != ulyssesSuccess) throw RunError(ulyssesGetLastError(nullptr));
    storeAndWake(area_.started(), 1);
    supervisor.watch([&] { endRound(); }, [&] { showProgress(); });
    summarize(options_, test_, area_, schedule_, figures_.all(), result_);
    return std::move(result_);
  }

 private:
  int passes() const { return options_.backward ? 2 : 1; }

  void runForkedRank(int rank, int roundDone) {
    waitUntilAtLeast(area_.started(), 1);
    area_.slot(Side::kRanks, rank).enter(Phase::kJoining);
    ulyssesComm_t comm = join(options_, area_, rank);
    runAttentionRank(options_, test_, schedule_, area_, figures_.of(rank), rank, comm, [&](int round) {
      const uint64_t one = 1;
      if (rank == 0 && write(roundDone, &one, sizeof one) != sizeof one) throwErrno("write to the tool");
      waitUntilAtLeast(area_.shown(), static_cast<uint32_t>(round) + 1);
    });
    if (ulyssesCommDestroy(comm) != ulyssesSuccess) throw RunError(ulyssesGetLastError(nullptr));
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
      const auto ours =
          slowest(area_, options_.ranks, static_cast<Pass>(pass), round_ * schedule_.block, schedule_.block);
      peer.roundRatios[pass].push_back(median(times) / median(ours));
      peer.timesUs[pass].insert(peer.timesUs[pass].end(), times.begin(), times.end());
    }
  }

  void showProgress() const {
    if (isatty(STDERR_FILENO) != 0)
      fmt::print(stderr, "\r# {} of {} rounds, rank 0: {} \r", round_, schedule_.rounds,
                 phaseName(area_.slot(Side::kRanks, 0).phase));
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
  const Case test = attentionCase(options);
  checkAttentionMemory(options, test);
  printAttentionHeader(options);
  const AttentionResult result = Run(options, test).finish();
  return concludeAttention(options, test, result);
}

}  // namespace ulysses::perf
