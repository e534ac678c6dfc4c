// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/rank_runner.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <thread>

#include "support/issue.h"
#include "support/local_comms.h"
#include "support/rank_case.h"

namespace ulysses::test {

namespace {

/// Without a step in this time the process is ended by SIGALRM: a hang is a failure, not a wait. Longer than deadlines.
constexpr unsigned kStuckSeconds = 200;

/// Goes through the cases of a run, a few at a time: as many as are outstanding together.
class Runner {
 public:
  Runner(const RunOptions& options, std::string mode, int firstRank)
      : options_(options),
        mode_(std::move(mode)),
        rng_(options.seed, 0x72756eu, static_cast<std::uint64_t>(firstRank)) {}

  /// runBatch(key) is called for each batch with more than minRank ranks, the cases prepared; false ends the run.
  template <typename RunBatch>
  Report run(int minRank, RunBatch runBatch) {
    const std::int64_t last = options_.first + options_.count;
    for (std::int64_t index = options_.first; index < last;) {
      const std::int64_t blockEnd = std::min(last, (index / kBlockCases + 1) * kBlockCases);
      const CommKey key = commOf(options_, index);
      if (key.nRanks <= minRank) {
        index = blockEnd;
        continue;
      }
      const std::int64_t end = std::min(blockEnd, index + rng_.between(1, kMaxOutstanding));
      batch_.clear();
      for (; index < end; ++index) batch_.push_back(std::make_unique<Prepared>(caseOf(options_, index)));
      alarm(kStuckSeconds);
      if (!runBatch(key)) break;
      report_.cases += static_cast<std::int64_t>(batch_.size());
    }
    alarm(0);
    return report_;
  }

  std::vector<RankCase> place(int rank, RankMemory* memory) {
    memory->reset(&rng_);
    std::vector<RankCase> cases;
    for (const auto& prepared : batch_) cases.emplace_back(prepared->run, prepared->inputs, rank, memory);
    return cases;
  }

  void compare(const std::vector<RankCase>& cases) {
    for (std::size_t at = 0; at < cases.size(); ++at) fail({at, cases[at].difference()});
  }

  /// Keeps the failure, if it is one.
  bool fail(const CallFailure& failure) {
    if (failure.text.empty()) return false;
    if (report_.failures.size() < kMaxFailures) {
      report_.failures.push_back(failureText(options_, batch_.at(failure.at)->run, mode_, failure.text));
    }
    return true;
  }

  Rng* rng() { return &rng_; }

 private:
  RunOptions options_;
  std::string mode_;
  Rng rng_;
  Report report_;
  std::vector<std::unique_ptr<Prepared>> batch_;
};

void abortAll(const CommTable& comms) {
  for (const auto& [key, comm] : comms) (void)ulyssesCommAbort(comm);
}

Report runAllRanks(const RunOptions& options, const std::vector<CommTable>& comms) {
  Runner runner(options, "group", 0);
  std::vector<RankMemory> memories(comms.size());
  return runner.run(0, [&](const CommKey& key) {
    std::vector<std::vector<RankCase>> byRank;
    std::vector<ulyssesComm_t> ofRanks;
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(key.nRanks); ++rank) {
      byRank.push_back(runner.place(static_cast<int>(rank), &memories[rank]));
      ofRanks.push_back(comms[rank].at(key));
    }
    if (runner.fail(issueAllRanks(byRank, ofRanks, runner.rng()))) {
      for (const CommTable& table : comms) abortAll(table);
      return false;
    }
    for (const auto& cases : byRank) runner.compare(cases);
    return true;
  });
}

void append(const Report& part, Report* whole) {
  whole->cases = std::max(whole->cases, part.cases);
  whole->failures.insert(whole->failures.end(), part.failures.begin(), part.failures.end());
}

}  // namespace

Report runRank(const RunOptions& options, int rank, const CommTable& comms, const std::string& mode) {
  try {
    Runner runner(options, mode, rank);
    RankMemory memory;
    return runner.run(rank, [&](const CommKey& key) {
      const std::vector<RankCase> cases = runner.place(rank, &memory);
      if (runner.fail(issue(cases, comms.at(key), runner.rng()))) {
        abortAll(comms);
        return false;
      }
      runner.compare(cases);
      return true;
    });
  } catch (const std::exception& error) {
    abortAll(comms);
    return {0, {mode + ": rank " + std::to_string(rank) + ": " + error.what()}};
  }
}

Report runThreads(const RunOptions& options) {
  const LocalComms comms(options);
  std::vector<Report> reports(comms.byRank().size());
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < reports.size(); ++rank) {
    threads.emplace_back(
        [&, rank] { reports[rank] = runRank(options, static_cast<int>(rank), comms.byRank()[rank], "threads"); });
  }
  for (std::thread& thread : threads) thread.join();
  Report whole;
  for (const Report& report : reports) append(report, &whole);
  return whole;
}

Report runGroup(const RunOptions& options) {
  const LocalComms comms(options);
  return runAllRanks(options, comms.byRank());
}

}  // namespace ulysses::test
