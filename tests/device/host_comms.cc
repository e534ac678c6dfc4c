// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "host_comms.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace ulysses::test {

namespace {

/// The thread sanitizer cannot know that two mappings of a board, as ranks of a host have, are the same memory: to it
/// every rank is on a host of its own.
std::string hostOf(const std::vector<int>& hosts, std::size_t rank) {
#ifdef __SANITIZE_THREAD__
  static_cast<void>(hosts);
  return "test-rank" + std::to_string(rank);
#else
  return "test-host" + std::to_string(hosts[rank]);
#endif
}

}  // namespace

std::vector<std::unique_ptr<Communicator>> makeHostComms(const std::vector<int>& hosts, std::int64_t timeoutMs) {
  std::vector<std::unique_ptr<Communicator>> comms(hosts.size());
  const UniqueId id = openRendezvous(kLoopback);
  std::vector<std::jthread> ranks;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank)
    ranks.emplace_back([&, rank] {
      Settings settings;
      settings.timeoutMs = timeoutMs;
      settings.initTimeoutMs = 60'000;
      settings.hostId = hostOf(hosts, rank);
      try {
        comms[rank] = Communicator::create(id, static_cast<int>(hosts.size()), static_cast<int>(rank), settings);
      } catch (const Error& error) {
        ADD_FAILURE() << "rank " << rank << ": " << error.what();
      }
    });
  ranks.clear();
  return comms;
}

}  // namespace ulysses::test
