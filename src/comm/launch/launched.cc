// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/launched.h"

#include <poll.h>

#include <algorithm>
#include <climits>

#include "base/check.h"
#include "base/log.h"
#include "comm/launch/meeting.h"

namespace ulysses {
namespace {

/// The program will most likely end now, and with it the rendezvous: ranks that are just starting would never hear why.
void tellLateRanks(const Serving& serving, Deadline deadline) {
  constexpr int kMomentMs = 1000, kPauseMs = 5;
  const Deadline moment = Deadline::inMs(deadline.leftMs(kMomentMs));
  while (serving.goesOn() && !moment.passed()) poll(nullptr, 0, moment.leftMs(kPauseMs));
}

}  // namespace

Launcher requireLauncher() {
  auto launcher = findLauncher();
  if (!launcher)
    raise(Result::InvalidUsage,
          "nothing started this process as a rank: none of these variables is set: {}. Start it by a launcher, or set "
          "ULYSSES_RANK, ULYSSES_RANKS and ULYSSES_ROOT",
          launcherVariables());
  return *std::move(launcher);
}

std::unique_ptr<Communicator> createLaunched(Settings settings) {
  static std::mutex mutex;
  static uint64_t calls = 0;
  const std::lock_guard lock(mutex);
  const uint64_t number = ++calls;
  const Launcher launcher = requireLauncher();
  settings.resolve(launcher.nRanks);
  const Deadline deadline = Deadline::inMs(settings.initTimeoutMs);
  const Meeting meeting = meet(launcher, number, deadline);
  log::info(log::Subsystem::Bootstrap, "rank {}/{} by {} ({}): meeting for communicator {}", launcher.rank,
            launcher.nRanks, launcher.name, launcher.variables, number);
  settings.initTimeoutMs = std::max(deadline.leftMs(INT_MAX), 1);
  try {
    return Communicator::create(meeting.id, launcher.nRanks, launcher.rank, std::move(settings), {}, meeting.patience);
  } catch (const Error&) {
    tellLateRanks(meeting.serving, deadline);
    throw;
  }
}

}  // namespace ulysses
