// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ulysses_info: what this machine is, the limits that exchanges can hit, and the library's own tables.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "error.h"
#include "library_tables.h"
#include "parse.h"
#include "shared.h"
#include "system_info.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

struct InfoOptions {
  bool environment = false, json = false;
  int ranks = 0;  // 0: no pair matrix
};

std::string versionText() {
  int code = 0;
  const ulyssesResult_t result = ulyssesGetVersion(&code);
  if (result != ulyssesSuccess) throw RunError(fmt::format("ulyssesGetVersion: {}", ulyssesGetErrorString(result)));
  return fmt::format("{}.{}.{}", code / 10000, code / 100 % 100, code % 100);
}

ordered_json limitJson(int64_t value) { return value < 0 ? ordered_json(nullptr) : ordered_json(value); }

ordered_json collect() {
  ordered_json cacheList = ordered_json::array();
  for (const Cache& cache : caches()) {
    cacheList.push_back({{"name", cache.name}, {"bytes", cache.bytes}, {"cores", cache.sharedBy}});
  }
  const MemoryLimits limits = memoryLimits();
  return {{"schema", 1},
          {"tool", "ulysses_info"},
          {"library_version", versionText()},
          {"host", hostName()},
          {"cpu", cpuModel()},
          {"cores", allowedCores()},
          {"caches", cacheList},
          {"limits",
           {{"memory_available_bytes", limits.availableBytes},
            {"memory_cgroup_left_bytes", limitJson(limits.cgroupBytes)},
            {"dev_shm_free_bytes", limitJson(limits.devShmBytes)},
            {"memlock_bytes", limitJson(limits.lockedBytes)},
            {"open_files", limitJson(limits.openFiles)}}}};
}

std::string bytesText(const ordered_json& bytes, const char* whenNull) {
  return bytes.is_null() ? whenNull : formatBytes(bytes.get<int64_t>());
}

void printText(const ordered_json& info) {
  const auto line = [](std::string_view key, const std::string& value) { fmt::print("{:<22} {}\n", key, value); };
  line("library", info["library_version"].get<std::string>());
  line("host", info["host"].get<std::string>());
  line("cpu", info["cpu"].get<std::string>());
  line("cores to run on", fmt::format("{}: {}", info["cores"].size(), info["cores"].dump()));
  for (const ordered_json& cache : info["caches"]) {
    line(fmt::format("cache {}", cache["name"].get<std::string>()),
         fmt::format("{} (cores {})", formatBytes(cache["bytes"].get<int64_t>()), cache["cores"].get<std::string>()));
  }
  const ordered_json& limits = info["limits"];
  line("memory available", bytesText(limits["memory_available_bytes"], "?"));
  line("left in memory cgroup", bytesText(limits["memory_cgroup_left_bytes"], "no limit"));
  line("free in /dev/shm", bytesText(limits["dev_shm_free_bytes"], "not mounted") + " (not used by the library)");
  line("RLIMIT_MEMLOCK", bytesText(limits["memlock_bytes"], "unlimited"));
  line("RLIMIT_NOFILE", limits["open_files"].is_null() ? "unlimited" : limits["open_files"].dump());
}

void run(const InfoOptions& options) {
  if (options.environment) {
    fmt::print("{}", environmentTable());
    return;
  }
  std::string matrix;
  if (options.ranks > 0) matrix = pairMatrix(options.ranks);
  ordered_json info = collect();
  if (options.json) {
    if (options.ranks > 0) info["pairs"] = matrix;
    fmt::print("{}\n", info.dump(2));
    return;
  }
  printText(info);
  fmt::print("{}", matrix);
}

// nullopt: --help was answered.
std::optional<InfoOptions> parse(int argc, const char* const* argv) {
  InfoOptions options;
  std::string ranks;
  CLI::App app{"What this machine offers to libulysses_coll.", "ulysses_info"};
  app.set_version_flag("--version", "ulysses_info " + versionText());
  app.add_flag("--env", options.environment, "print the table of environment variables");
  app.add_flag("--json", options.json, "print JSON");
  app.add_option("--ranks", ranks, "make a communicator of this many local ranks, print the path of each pair");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answered) {
    app.exit(answered);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{} (see --help)", error.what()));
  }
  if (!ranks.empty()) options.ranks = static_cast<int>(parseInteger("--ranks", ranks, 1, kMaxRanks));
  return options;
}

}  // namespace
}  // namespace ulysses::perf

int main(int argc, char** argv) {
  using namespace ulysses::perf;
  try {
    const std::optional<InfoOptions> options = parse(argc, argv);
    if (options) run(*options);
    return 0;
  } catch (const InputError& error) {
    fmt::print(stderr, "ulysses_info: {}\n", error.what());
    return kExitBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ulysses_info: {}\n", error.what());
    return kExitFailure;
  }
}
