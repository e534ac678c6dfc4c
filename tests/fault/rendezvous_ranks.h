// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Ranks as threads that join one rendezvous, and a socket for those that are no ranks.
#pragma once
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "comm/bootstrap/interface.h"
#include "comm/bootstrap/rendezvous.h"

namespace ulysses::test {

inline RankInfo infoOf(int rank, int nRanks, std::int64_t timeoutMs = 20'000) {
  RankInfo info;
  info.rank = rank;
  info.nRanks = nRanks;
  info.pid = 1000 + rank;
  info.libraryVersion = 1;
  info.initTimeoutMs = timeoutMs;
  copyText(info.host, "here");
  return info;
}

/// "" when the rank joined, else the error.
struct Outcome {
  std::string error;
  Membership membership;
  double ms = 0;
};

inline Outcome join(const UniqueId& id, const RankInfo& info) {
  Outcome outcome;
  const std::int64_t start = nowNs();
  try {
    outcome.membership = joinRendezvous(id, info, Deadline::inMs(info.initTimeoutMs + 1000));
  } catch (const Error& error) {
    outcome.error = std::string(nameOf(error.result())) + ": " + error.what();
  }
  outcome.ms = static_cast<double>(nowNs() - start) * 1e-6;
  return outcome;
}

/// The same until the last word, as a rank that reaches all others at once.
inline Outcome joinFully(const UniqueId& id, const RankInfo& info) {
  Outcome outcome;
  const std::int64_t start = nowNs();
  try {
    outcome.membership = joinRendezvous(id, info, Deadline::inMs(info.initTimeoutMs + 1000));
    outcome.membership.confirm();
  } catch (const Error& error) {
    outcome.error = std::string(nameOf(error.result())) + ": " + error.what();
    outcome.membership = {};
  }
  outcome.ms = static_cast<double>(nowNs() - start) * 1e-6;
  return outcome;
}

/// All of them at once.
inline std::vector<Outcome> joinAll(const std::vector<std::pair<UniqueId, RankInfo>>& ranks) {
  std::vector<Outcome> outcomes(ranks.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < ranks.size(); ++i)
    threads.emplace_back([&, i] { outcomes[i] = join(ranks[i].first, ranks[i].second); });
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

inline std::vector<Outcome> joinAll(const UniqueId& id, const std::vector<RankInfo>& infos) {
  std::vector<std::pair<UniqueId, RankInfo>> ranks;
  for (const RankInfo& info : infos) ranks.emplace_back(id, info);
  return joinAll(ranks);
}

/// A plain connection to the rendezvous.
inline UniqueFd knock(const UniqueId& id) {
  const HostAddress address = addressOf(id.endpoints[0]);
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(socket.get(), address.get(), address.size) != 0) return {};
  return socket;
}

}  // namespace ulysses::test
