// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/issue.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "support/schedule.h"

namespace ulysses::test {

namespace {

struct Outstanding {
  ulyssesRequest_t request;
  ulyssesComm_t comm;
  std::size_t at;  // which of the cases
};

CallFailure failure(const char* call, ulyssesResult_t result, ulyssesComm_t comm, std::size_t at) {
  return {at, callText(call, result, comm)};
}

CallFailure begin(const RankCase& rankCase, ulyssesComm_t comm, std::size_t at, std::vector<Outstanding>* outstanding) {
  Outstanding started = {{0, 0}, comm, at};
  const ulyssesResult_t result = rankCase.start(comm, &started.request);
  if (result != ulyssesSuccess) return failure("start", result, comm, at);
  outstanding->push_back(started);
  return {};
}

CallFailure checkNull(const Outstanding& done) {
  if (done.request.comm == 0 && done.request.sequence == 0) return {};
  return {done.at, "a request that is done did not become the null request"};
}

CallFailure waitAll(std::vector<Outstanding> outstanding, bool backward) {
  if (backward) std::reverse(outstanding.begin(), outstanding.end());
  for (Outstanding& each : outstanding) {
    const ulyssesResult_t result = ulyssesWait(&each.request);
    if (result != ulyssesSuccess) return failure("ulyssesWait", result, each.comm, each.at);
    if (CallFailure found = checkNull(each); !found.text.empty()) return found;
  }
  return {};
}

/// A program that polls has other work between its looks; here it naps when nothing came for a while. Linux 6.18
/// charges a thread a whole time slice for each sched_yield, so a dozen of threads that only yield starve one another.
void pauseBetweenLooks(int* idleLooks) {
  constexpr int kYields = 1000;
  if (++*idleLooks < kYields)
    sched_yield();
  else
    usleep(50);
}

CallFailure testAll(std::vector<Outstanding> outstanding, Rng* rng) {
  int idleLooks = 0;
  while (!outstanding.empty()) {
    const auto pick = static_cast<std::size_t>(rng->between(0, static_cast<std::int64_t>(outstanding.size()) - 1));
    Outstanding& each = outstanding[pick];
    int done = -1;
    const ulyssesResult_t result = ulyssesTest(&each.request, &done);
    if (result != ulyssesSuccess) return failure("ulyssesTest", result, each.comm, each.at);
    if (done == 0) {
      pauseBetweenLooks(&idleLooks);
      continue;
    }
    idleLooks = 0;
    if (CallFailure found = checkNull(each); !found.text.empty()) return found;
    outstanding.erase(outstanding.begin() + static_cast<std::ptrdiff_t>(pick));
  }
  return {};
}

CallFailure block(const RankCase& rankCase, ulyssesComm_t comm, std::size_t at) {
  const ulyssesResult_t result = rankCase.exchange(comm);
  return result == ulyssesSuccess ? CallFailure{} : failure("blocking call", result, comm, at);
}

CallFailure groupAll(const std::vector<std::vector<RankCase>>& byRank, const std::vector<ulyssesComm_t>& comms,
                     bool nested) {
  const std::size_t nCases = byRank.at(0).size();
  for (int level = 0; level <= (nested ? 1 : 0); ++level) (void)ulyssesGroupStart();
  CallFailure first;
  for (std::size_t at = 0; at < nCases; ++at) {
    for (std::size_t rank = 0; rank < byRank.size(); ++rank) {
      // Nested groups run at the outermost end; so does a mix of orders, rank by rank or call by call.
      const std::size_t who = nested ? byRank.size() - 1 - rank : rank;
      CallFailure found = block(byRank[who][at], comms[who], at);
      if (first.text.empty()) first = found;
    }
  }
  ulyssesResult_t result = ulyssesSuccess;
  for (int level = 0; level <= (nested ? 1 : 0); ++level) result = ulyssesGroupEnd();
  if (first.text.empty() && result != ulyssesSuccess) first = failure("ulyssesGroupEnd", result, comms[0], 0);
  return first;
}

}  // namespace

CallFailure issue(const std::vector<RankCase>& cases, ulyssesComm_t comm, Rng* rng) {
  enum class Style { Blocking, Started, LastBlocking };
  const Style style = rng->pick({Style::Blocking, Style::Started, Style::LastBlocking});
  std::vector<Outstanding> outstanding;
  for (std::size_t at = 0; at < cases.size(); ++at) {
    const bool blocking = style == Style::Blocking || (style == Style::LastBlocking && at + 1 == cases.size());
    CallFailure found = blocking ? block(cases[at], comm, at) : begin(cases[at], comm, at, &outstanding);
    if (!found.text.empty()) return found;
  }
  return rng->chance(50) ? waitAll(outstanding, rng->chance(50)) : testAll(outstanding, rng);
}

CallFailure issueAllRanks(const std::vector<std::vector<RankCase>>& byRank, const std::vector<ulyssesComm_t>& comms,
                          Rng* rng) {
  if (rng->chance(60)) return groupAll(byRank, comms, rng->chance(30));
  std::vector<Outstanding> outstanding;
  for (std::size_t rank = 0; rank < byRank.size(); ++rank) {
    for (std::size_t at = 0; at < byRank[rank].size(); ++at) {
      CallFailure found = begin(byRank[rank][at], comms[rank], at, &outstanding);
      if (!found.text.empty()) return found;
    }
  }
  return testAll(outstanding, rng);
}

}  // namespace ulysses::test
