// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/team.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <new>
#include <sstream>
#include <stdexcept>

#include "fault/census.h"
#include "fault/texts.h"
#include "support/own_host.h"

namespace ulysses::test {

namespace {

constexpr std::int64_t kPatienceMs = 20'000;  // for another process on a busy machine

#if defined(__SANITIZE_THREAD__)
constexpr std::int64_t kOwnThreads = 2;  // the runtime starts one
#else
constexpr std::int64_t kOwnThreads = 1;
#endif

Sheet* makeSheet() {
  void* memory = mmap(nullptr, sizeof(Sheet), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for the shared sheet");
  return new (memory) Sheet{};
}

template <typename Condition>
bool waitUntil(Condition&& condition, std::int64_t limitMs) {
  const std::int64_t start = nowNs();
  while (!condition()) {
    if (msSince(start) > static_cast<double>(limitMs)) return false;
    usleep(200);
  }
  return true;
}

[[noreturn]] void runRank(Rank rank, const Team::Body& body) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  enterHost(rank.rank());
  try {
    body(rank);
  } catch (const std::exception& error) {
    rank.expect(false, error.what());
  }
  _exit(0);
}

std::string statusText(int status) {
  if (status < 0) return "did not end";
  if (WIFSIGNALED(status)) return std::string("died of ") + strsignal(WTERMSIG(status));
  return "exited with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::string identityText(int rank, int nRanks) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  return std::string(host) + ":" + std::to_string(getpid()) + " rank " + std::to_string(rank) + "/" +
         std::to_string(nRanks);
}

const ulyssesUniqueId_t& Rank::id(int which) const {
  if (!waitUntil([&] { return sheet_->ids.load() > which; }, kPatienceMs)) throw std::runtime_error("no unique id");
  return sheet_->id[which];
}

ulyssesComm_t Rank::join(std::int64_t timeoutMs, int which, int as, int of) const {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = timeoutMs;
  config.init_timeout_ms = kPatienceMs;
  config.staging_bytes = 1 << 14;  // small windows: several chunks even of small tensors
  ulyssesComm_t comm = nullptr;
  const ulyssesResult_t result =
      ulyssesCommInitRankConfig(&comm, of < 0 ? nRanks_ : of, &id(which), as < 0 ? rank_ : as, &config);
  if (result != ulyssesSuccess) throw std::runtime_error("join: " + nameOf(result) + ": " + lastError());
  return comm;
}

void Rank::report(char kind, const std::string& text) const {
  Sheet::PerRank& place = own();
  const std::string line = kind + text + "\n";
  const std::uint32_t used = place.used.load();
  if (used + line.size() > sizeof place.text) return;
  std::memcpy(place.text + used, line.data(), line.size());
  place.used.store(used + static_cast<std::uint32_t>(line.size()));
}

bool Rank::expect(bool holds, const std::string& what) const {
  if (!holds) report('F', what);
  return holds;
}

bool Rank::expectResult(ulyssesResult_t result, ulyssesResult_t wanted, const std::string& what) const {
  return expect(result == wanted, what + ": got " + nameOf(result) + ", want " + nameOf(wanted) + ": " + lastError());
}

bool Rank::expectNone(const std::string& problem, const std::string& what) const {
  return expect(problem.empty(), what + ": " + problem);
}

void Rank::expectText(const std::string& text, const std::vector<std::string>& parts, const std::string& what) const {
  expectNone(missingFrom(text, parts), what);
}

void Rank::meet() {
  ++met_;
  sheet_->arrived.fetch_add(1);
  if (!waitUntil([&] { return sheet_->arrived.load() >= met_ * nRanks_; }, kPatienceMs))
    throw std::runtime_error("the other ranks did not come to meeting " + std::to_string(met_));
}

void Rank::waitFlag(int which, std::int64_t value) const {
  if (!waitUntil([&] { return sheet_->flags[which].load() >= value; }, kPatienceMs))
    throw std::runtime_error("flag " + std::to_string(which) + " did not come");
}

Team::Team(int nRanks, const Body& body, int ids) : sheet_(makeSheet()), status_(static_cast<std::size_t>(nRanks), -1) {
  // A rendezvous thread of an earlier team may be on its way out.
  waitUntil([] { return takeCensus().threads <= kOwnThreads; }, 2000);
  for (int rank = 0; rank < nRanks; ++rank) {
    const pid_t pid = fork();
    if (pid == 0) runRank(Rank(sheet_, rank, nRanks), body);
    if (pid < 0) throw std::runtime_error("fork failed");
    pids_.push_back(pid);
  }
  for (int i = 0; i < ids; ++i) {
    if (ulyssesGetUniqueId(&sheet_->id[i]) != ulyssesSuccess) throw std::runtime_error(lastError());
    sheet_->ids.store(i + 1);
  }
}

Team::~Team() {
  for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
    if (status_[rank] != -1) continue;
    kill(pids_[rank], SIGKILL);
    waitpid(pids_[rank], nullptr, 0);
  }
  munmap(sheet_, sizeof(Sheet));
}

void Team::signal(int rank, int number) {
  kill(pid(rank), number);
  if (number != SIGKILL) return;
  waitpid(pid(rank), &status_[static_cast<std::size_t>(rank)], 0);
  killed_.insert(rank);
}

void Team::expectEnd(int rank, int signal, int code) {
  int& status = status_[static_cast<std::size_t>(rank)];
  const bool ended = waitUntil([&] { return waitpid(pid(rank), &status, WNOHANG) == pid(rank); }, kPatienceMs);
  if (!ended) status = -1;
  const bool right =
      signal ? WIFSIGNALED(status) && WTERMSIG(status) == signal : WIFEXITED(status) && WEXITSTATUS(status) == code;
  EXPECT_TRUE(ended && right) << "rank " << rank << " " << statusText(status) << ", want signal " << signal << " code "
                              << code;
  if (ended) killed_.insert(rank);
}

bool Team::allReached(std::int64_t step) {
  return waitUntil(
      [&] {
        for (std::size_t rank = 0; rank < pids_.size(); ++rank)
          if (sheet_->ranks[rank].step.load() < step) return false;
        return true;
      },
      kPatienceMs);
}

bool Team::waitFor(std::int64_t limitMs) {
  return waitUntil(
      [&] {
        bool all = true;
        for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
          if (status_[rank] != -1) continue;
          if (waitpid(pids_[rank], &status_[rank], WNOHANG) != pids_[rank]) {
            status_[rank] = -1;
            all = false;
          }
        }
        return all;
      },
      limitMs);
}

std::vector<std::string> Team::lines(int rank, char kind) const {
  const Sheet::PerRank& place = sheet_->ranks[rank];
  std::istringstream all(std::string(place.text, place.used.load()));
  std::vector<std::string> found;
  for (std::string line; std::getline(all, line);)
    if (!line.empty() && line[0] == kind) found.push_back(line.substr(1));
  return found;
}

void Team::expectRight(std::int64_t limitMs) {
  waitFor(limitMs);
  for (int rank = 0; rank < static_cast<int>(pids_.size()); ++rank) {
    for (const std::string& failure : lines(rank, 'F')) ADD_FAILURE() << "rank " << rank << ": " << failure;
    if (killed_.contains(rank)) continue;
    const int status = status_[static_cast<std::size_t>(rank)];
    EXPECT_EQ(status, 0) << "rank " << rank << " " << statusText(status);
  }
}

}  // namespace ulysses::test
