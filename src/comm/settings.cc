// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/settings.h"

#include "base/check.h"
#include "base/env.h"
#include "topo/host.h"

namespace ulysses {
namespace {

constexpr int64_t kLongestMs = int64_t{1} << 40;

void pick(int64_t& value, const char* field, const char* variable, int64_t fallback, int64_t low, int64_t high) {
  if (value == 0) value = env::integer(variable, fallback, low, high);
  require(value >= low && value <= high, "config.{}={}: want {}..{}, or 0 for the default", field, value, low, high);
}

}  // namespace

void Settings::resolve(int nRanks) {
  constexpr int64_t kTenMinutes = 600'000;
  env::warnOfUnknown();
  pick(timeoutMs, "timeout_ms", "ULYSSES_TIMEOUT_MS", kTenMinutes, 1, kLongestMs);
  pick(initTimeoutMs, "init_timeout_ms", "ULYSSES_INIT_TIMEOUT_MS", kTenMinutes, 1, kLongestMs);
  pick(stagingBytes, "staging_bytes", "ULYSSES_STAGING_BYTES", 1 << 20, 1 << 12, int64_t{1} << 32);
  int64_t plans = planCacheSize;
  pick(plans, "plan_cache_size", "ULYSSES_PLAN_CACHE", 64, 1, 1 << 16);
  planCacheSize = static_cast<int>(plans);
  progressThread = progressThread || env::integer("ULYSSES_PROGRESS_THREAD", 0, 0, 1) == 1;
  verify = env::integer("ULYSSES_VERIFY", 0, 0, 1) == 1;
  const int ranksPerCore = (nRanks + coresOfHost() - 1) / coresOfHost();
  const int64_t fromCaches = env::text("ULYSSES_STREAM_BYTES") ? 0 : defaultStreamBytes(cacheSizes(), ranksPerCore);
  streamBytes = env::integer("ULYSSES_STREAM_BYTES", fromCaches, 0, int64_t{1} << 62);
}

}  // namespace ulysses
