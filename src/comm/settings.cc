// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/settings.h"

#include "base/check.h"
#include "base/env.h"
#include "base/log.h"
#include "comm/nics.h"
#include "topo/host.h"

namespace ulysses {
namespace {

constexpr int64_t kLongestMs = int64_t{1} << 40;

struct Knob {
  const char *field, *variable;
};
enum KnobIndex {
  kTimeout,
  kInitTimeout,
  kStaging,
  kPlanCache,
  kProgress,
  kStream,
  kVerify,
  kPath,
  kTwoLevel,
  kNetDevices,
  kEngine,
  kGpuBlocks
};
constexpr Knob kKnobs[Settings::kRows] = {{"timeout_ms", "ULYSSES_TIMEOUT_MS"},
                                          {"init_timeout_ms", "ULYSSES_INIT_TIMEOUT_MS"},
                                          {"staging_bytes", "ULYSSES_STAGING_BYTES"},
                                          {"plan_cache_size", "ULYSSES_PLAN_CACHE"},
                                          {"progress_thread", "ULYSSES_PROGRESS_THREAD"},
                                          {"stream_bytes", "ULYSSES_STREAM_BYTES"},
                                          {"verify", "ULYSSES_VERIFY"},
                                          {"path", "ULYSSES_PATH"},
                                          {"two_level", "ULYSSES_TWO_LEVEL"},
                                          {"net_devices", "ULYSSES_NET_DEVICES"},
                                          {"gpu_engine", "ULYSSES_GPU_ENGINE"},
                                          {"gpu_blocks", "ULYSSES_GPU_BLOCKS"}};

Settings::Origin originOf(const Knob& knob) {
  return env::text(knob.variable) ? Settings::Origin::Environment : Settings::Origin::Default;
}

void pick(int64_t& value, const Knob& knob, Settings::Origin& origin, int64_t fallback, int64_t low, int64_t high) {
  if (value == 0) {
    value = env::integer(knob.variable, fallback, low, high);
    origin = originOf(knob);
  } else if (origin == Settings::Origin::Unset) {
    origin = Settings::Origin::Config;
  }
  require(value >= low && value <= high, "config.{}={}: want {}..{}, or 0 for the default", knob.field, value, low,
          high);
}

}  // namespace

const char* nameOf(Settings::Origin origin) {
  constexpr const char* kNames[] = {"unset", "config", "environment", "default"};
  return kNames[static_cast<int>(origin)];
}

const char* nameOf(PathChoice choice) {
  constexpr const char* kNames[] = {"auto", "shm", "ucx"};
  return kNames[static_cast<int>(choice)];
}

const char* nameOf(Crossing crossing) {
  constexpr const char* kNames[] = {"heads", "flat", "joined", "auto"};
  return kNames[static_cast<int>(crossing)];
}

const char* nameOf(NicPolicy policy) {
  constexpr const char* kNames[] = {"auto", "nearest", "any", "list"};
  return kNames[static_cast<int>(policy)];
}

void Settings::resolve(int nRanks) {
  constexpr int64_t kTenMinutes = 600'000;
  log::start();
  log::showVersion(libraryVersion);
  env::warnOfUnknown();
  pick(timeoutMs, kKnobs[kTimeout], origins_[kTimeout], kTenMinutes, 1, kLongestMs);
  pick(initTimeoutMs, kKnobs[kInitTimeout], origins_[kInitTimeout], kTenMinutes, 1, kLongestMs);
  pick(stagingBytes, kKnobs[kStaging], origins_[kStaging], 1 << 20, 1 << 12, int64_t{1} << 32);
  int64_t plans = planCacheSize;
  pick(plans, kKnobs[kPlanCache], origins_[kPlanCache], 64, 1, 1 << 16);
  planCacheSize = static_cast<int>(plans);
  if (progressThread && origins_[kProgress] == Origin::Unset) origins_[kProgress] = Origin::Config;
  if (!progressThread) {
    progressThread = env::integer(kKnobs[kProgress].variable, 0, 0, 1) == 1;
    origins_[kProgress] = originOf(kKnobs[kProgress]);
  }
  verify = env::integer(kKnobs[kVerify].variable, 0, 0, 1) == 1;
  origins_[kVerify] = originOf(kKnobs[kVerify]);
  path = static_cast<PathChoice>(env::choice(kKnobs[kPath].variable, {"auto", "shm", "ucx"}));
  origins_[kPath] = originOf(kKnobs[kPath]);
  crossing = static_cast<Crossing>(env::choice(kKnobs[kTwoLevel].variable, {"heads", "flat", "joined", "auto"}));
  origins_[kTwoLevel] = originOf(kKnobs[kTwoLevel]);
  netDevices = parseNetDevices(env::text(kKnobs[kNetDevices].variable));
  origins_[kNetDevices] = originOf(kKnobs[kNetDevices]);
  gpuEngine = static_cast<EnginePolicy>(env::choice(kKnobs[kEngine].variable, {"auto", "sm", "copy_engine"}));
  origins_[kEngine] = originOf(kKnobs[kEngine]);
  constexpr int64_t kMostGpuBlocks = 65535;
  gpuBlocks = env::integer(kKnobs[kGpuBlocks].variable, 0, 0, kMostGpuBlocks);
  origins_[kGpuBlocks] = originOf(kKnobs[kGpuBlocks]);
  if (const char* text = env::text("ULYSSES_HOST_ID")) hostId = text;
  const int ranksPerCore = (nRanks + coresOfHost() - 1) / coresOfHost();
  origins_[kStream] = originOf(kKnobs[kStream]);
  const int64_t fromCaches =
      origins_[kStream] == Origin::Environment ? 0 : defaultStreamBytes(cacheSizes(), ranksPerCore);
  streamBytes = env::integer(kKnobs[kStream].variable, fromCaches, 0, int64_t{1} << 62);
}

std::array<Settings::Row, Settings::kRows> Settings::rows() const {
  const int64_t values[kRows] = {timeoutMs,
                                 initTimeoutMs,
                                 stagingBytes,
                                 planCacheSize,
                                 progressThread,
                                 streamBytes,
                                 verify,
                                 static_cast<int64_t>(path),
                                 static_cast<int64_t>(crossing),
                                 static_cast<int64_t>(netDevices.policy),
                                 static_cast<int64_t>(gpuEngine),
                                 gpuBlocks};
  std::array<Row, kRows> rows{};
  for (size_t i = 0; i < kRows; ++i) rows[i] = {kKnobs[i].field, values[i], nullptr, origins_[i], kKnobs[i].variable};
  rows[kPath].word = nameOf(path);
  rows[kTwoLevel].word = nameOf(crossing);
  rows[kNetDevices].word = nameOf(netDevices.policy);
  rows[kEngine].word = nameOf(gpuEngine);
  return rows;
}

std::string Settings::toText() const {
  std::string text;
  for (const Row& row : rows())
    text += formatText("{}{}={} ({})", text.empty() ? "" : ", ", row.name,
                       row.word ? std::string(row.word) : std::to_string(row.value),
                       row.from == Origin::Environment ? row.variable : nameOf(row.from));
  return text;
}

}  // namespace ulysses
