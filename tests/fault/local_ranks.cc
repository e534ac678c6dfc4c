// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/local_ranks.h"

#include <gtest/gtest.h>

#include <thread>

#include "fault/texts.h"
#include "fault/trial.h"

namespace ulysses::test {

LocalRanks::LocalRanks(int nRanks, int timeoutMs) : comms_(static_cast<std::size_t>(nRanks)) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = timeoutMs;
  EXPECT_EQ(ulyssesCommInitAll(comms_.data(), nRanks, &config), ulyssesSuccess) << lastError();
}

LocalRanks::~LocalRanks() {
  for (ulyssesComm_t comm : comms_) (void)ulyssesCommDestroy(comm);
}

void LocalRanks::run(const std::function<void(int, ulyssesComm_t)>& body) const {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size(); ++rank) threads.emplace_back([&body, rank, this] { body(rank, comm(rank)); });
  for (std::thread& thread : threads) thread.join();
}

void LocalRanks::expectUsable() const {
  run([this](int rank, ulyssesComm_t comm) {
    Trial trial(rank, size());
    EXPECT_EQ(trial.exchange(comm, 7), "") << "afterwards, at rank " << rank;
  });
}

}  // namespace ulysses::test
