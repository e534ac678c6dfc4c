// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/schedule.h"

namespace ulysses::test {

CommKey commOf(const RunOptions& options, std::int64_t index) {
  Rng rng(options.seed, 0x626c6f636bu, static_cast<std::uint64_t>(index / kBlockCases));
  const auto nRanks = static_cast<int>(rng.between(options.minRanks, options.maxRanks));
  // A progress thread per rank only for few ranks: the machine of the tests may have two cores.
  return {nRanks, rng.pick(nRanks <= 4 ? std::initializer_list<int>{0, 1, 2} : std::initializer_list<int>{0, 1, 1})};
}

std::set<CommKey> commsOf(const RunOptions& options) {
  std::set<CommKey> keys;
  for (std::int64_t index = options.first; index < options.first + options.count; ++index) {
    keys.insert(commOf(options, index));
  }
  return keys;
}

ulyssesConfig_t configOf(const CommKey& key) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = 120000;  // a hang must end as an error before the test runner's own limit
  config.init_timeout_ms = 120000;
  if (key.nRanks > 4) config.staging_bytes = 128 << 10;  // many communicators live at once
  if (key.variant == 1) {
    config.staging_bytes = 64 << 10;  // the least there is
    config.plan_cache_size = 16;      // likewise
  }
  if (key.variant == 2) config.progress_thread = 1;
  return config;
}

Case caseOf(const RunOptions& options, std::int64_t index) {
  // Now and then the plan of an earlier case of the block with other data: found in the plan cache, or dropped from it.
  std::int64_t drawn = index;
  Rng rng(options.seed, 0x616761696eu, static_cast<std::uint64_t>(index));
  if (rng.chance(30)) drawn -= rng.between(0, index % kBlockCases);
  Case run = drawCase(options.profile, options.seed, drawn, commOf(options, index).nRanks);
  run.index = index;
  return options.adjoint ? drawAdjoint(run) : run;
}

std::string failureText(const RunOptions& options, const Case& run, const std::string& mode, const std::string& what) {
  return mode + ": " + what + "\n  alone: --ranks-as " + mode + " --seed " + std::to_string(options.seed) +
         " --first " + std::to_string(run.index) + " --cases 1 (variant " +
         std::to_string(commOf(options, run.index).variant) + ")\n  " + toText(run);
}

std::string callText(const char* call, ulyssesResult_t result, ulyssesComm_t comm) {
  const std::string name = ulyssesGetErrorString(result);
  const std::string own = ulyssesGetLastError(nullptr);
  return std::string(call) + ": " + name + "; thread: " + own +
         (comm == nullptr ? "" : std::string("; comm: ") + ulyssesGetLastError(comm));
}

}  // namespace ulysses::test
