// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Ranks as processes, forked while this process has one thread. All talk through one page range that they share, so
// that the tests add no descriptor of their own to what they count.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "fault/trial.h"
#include "ulysses_coll.h"

namespace ulysses::test {

/// Shared by the ranks and the test.
struct Sheet {
  static constexpr int kMostRanks = 8, kMostIds = 2, kMostFlags = 8;
  struct PerRank {
    std::atomic<std::int64_t> step;    // how far the rank is; what it counts is the test's
    std::atomic<std::int64_t> timeNs;  // of what the test measures
    std::atomic<std::uint32_t> used;
    char text[24000];  // lines that begin with F (failure) or N (note)
  };
  std::atomic<int> ids;
  ulyssesUniqueId_t id[kMostIds];
  std::atomic<int> arrived;  // at meet()
  std::atomic<std::int64_t> flags[kMostFlags];
  PerRank ranks[kMostRanks];
};

/// What the body of one rank's process works with. It reports failures; the test expects none.
class Rank {
 public:
  Rank(Sheet* sheet, int rank, int nRanks) : sheet_(sheet), rank_(rank), nRanks_(nRanks) {}
  int rank() const { return rank_; }
  int nRanks() const { return nRanks_; }
  Sheet& sheet() const { return *sheet_; }
  Sheet::PerRank& own() const { return sheet_->ranks[rank_]; }

  /// The which-th unique id, once it is there.
  const ulyssesUniqueId_t& id(int which = 0) const;
  /// Joins as rank `as` of `of`; throws when that fails.
  ulyssesComm_t join(std::int64_t timeoutMs, int which = 0, int as = -1, int of = -1) const;
  bool expect(bool holds, const std::string& what) const;
  bool expectResult(ulyssesResult_t result, ulyssesResult_t wanted, const std::string& what) const;
  void expectText(const std::string& text, const std::vector<std::string>& parts, const std::string& what) const;
  /// "" is right, anything else a failure.
  bool expectNone(const std::string& problem, const std::string& what) const;
  void note(const std::string& text) const { report('N', text); }
  /// Returns when all ranks came here as often as this one.
  void meet();
  void waitFlag(int which, std::int64_t value = 1) const;
  void raiseFlag(int which, std::int64_t value = 1) const { sheet_->flags[which].store(value); }

 private:
  void report(char kind, const std::string& text) const;

  Sheet* sheet_;
  int rank_, nRanks_, met_ = 0;
};

class Team {
 public:
  using Body = std::function<void(Rank&)>;
  /// Forks the ranks, then makes the unique ids.
  Team(int nRanks, const Body& body, int ids = 1);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  pid_t pid(int rank) const { return pids_[static_cast<std::size_t>(rank)]; }
  Sheet& sheet() { return *sheet_; }
  /// Sends a signal; with SIGKILL also reaps, as a launcher does.
  void signal(int rank, int number);
  /// A rank that dies by its own hand: nothing is expected of it.
  void expectKilled(int rank) { killed_.insert(rank); }
  /// Waits until a rank has ended by itself, as its launcher would, and expects that signal, or that exit code if
  /// signal is 0.
  void expectEnd(int rank, int signal, int code = 0);
  /// Whether each rank's step is at least `step` within a generous time.
  bool allReached(std::int64_t step);
  /// Waits for the ranks and expects each but the killed ones to have ended well with no failure reported.
  void expectRight(std::int64_t limitMs = 30'000);
  std::vector<std::string> notes(int rank) const { return lines(rank, 'N'); }

 private:
  bool waitFor(std::int64_t limitMs);
  std::vector<std::string> lines(int rank, char kind) const;

  Sheet* sheet_;
  std::vector<pid_t> pids_;
  std::vector<int> status_;  // of ended ranks, -1 while they run
  std::set<int> killed_;
};

/// What a message of this rank's must begin with: who, where, which call.
std::string identityText(int rank, int nRanks);

}  // namespace ulysses::test
