// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ulysses_info: what this machine, or that of a launcher's ranks, offers to the library, and how ranks are joined.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "check_options.h"
#include "device_pairs.h"
#include "error.h"
#include "host_report.h"
#include "info_ranks.h"
#include "info_text.h"
#include "library_tables.h"
#include "network_pairs.h"
#include "parse.h"
#include "result_json.h"
#include "shared.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

constexpr int kSchema = 2;  // of the JSON; grows when a key changes its meaning or goes

// Each pair is a communicator of its own.
constexpr int kMostMeasuredRanks = 32;

struct InfoOptions {
  bool environment = false, measure = false;
  int ranks = 0;                  // to start; 0: none
  std::string jsonFile, xmlFile;  // empty: not asked for
  ulyssesLauncher_t launcher{};   // nRanks 0: nobody started this process as a rank
};

std::string versionText() {
  int code = 0;
  const ulyssesResult_t result = ulyssesGetVersion(&code);
  if (result != ulyssesSuccess) throw RunError(fmt::format("ulyssesGetVersion: {}", ulyssesGetErrorString(result)));
  return fmt::format("{}.{}.{}", code / 10000, code / 100 % 100, code % 100);
}

void write(const InfoOptions& options, const ordered_json& report) {
  const std::string json = report.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  if (options.jsonFile == "-") {
    fmt::print("{}", json);
    return;
  }
  fmt::print("{}", reportText(report));
  if (options.jsonFile.empty()) return;
  writeFile(options.jsonFile, json);
}

// Nothing is shown by the ranks of a launcher but rank 0.
void reportRanks(const InfoOptions& options, ordered_json report) {
  const ulyssesLauncher_t& launcher = options.launcher;
  RankReport found = options.ranks > 0
                         ? reportLocalRanks(options.ranks, options.measure)
                         : reportLaunchedRanks(launcher.name, launcher.nRanks, launcher.rank, options.measure);
  if (options.ranks == 0 && launcher.rank != 0) return;
  report["hosts"] = std::move(found.hosts);
  report["ranks"] = std::move(found.ranks);
  addNetworkPairs(report["ranks"]["rows"]);
  addDevicePairs(report["hosts"], report["ranks"]["rows"]);
  report["environment"] = environmentJson();
  write(options, report);
}

void run(const InfoOptions& options) {
  if (options.environment) {
    fmt::print("{}", environmentTable());
    return;
  }
  const ordered_json described = topology(options.xmlFile);
  ordered_json report = {{"schema", kSchema}, {"tool", "ulysses_info"}, {"library", described["library"]}};
  if (options.ranks > 0 || options.launcher.nRanks > 0) {
    reportRanks(options, std::move(report));
    return;
  }
  const bool isFile = !options.xmlFile.empty();
  report["hosts"] = ordered_json::array({isFile ? described["machine"] : hostReport(described["machine"])});
  if (isFile)
    report["topology_file"] = options.xmlFile;
  else
    report["environment"] = environmentJson();
  write(options, report);
}

void findLauncher(InfoOptions& options) {
  const ulyssesResult_t result = ulyssesGetLauncher(&options.launcher);
  if (result == ulyssesInvalidUsage) return;  // nobody started this process as a rank
  if (result != ulyssesSuccess) throw InputError(ulyssesGetLastError(nullptr));
  if (options.ranks > 0)
    throw InputError(
        fmt::format("--ranks {}: {} started this process as rank {} of {}; leave --ranks out to show the "
                    "launcher's ranks, or start ulysses_info once, by itself",
                    options.ranks, options.launcher.name, options.launcher.rank, options.launcher.nRanks));
}

void check(InfoOptions& options) {
  const bool isFile = !options.xmlFile.empty();
  if (isFile && (options.ranks > 0 || options.measure))
    throw InputError(
        fmt::format("--topology {}: ranks run on this machine only; leave --ranks and --measure out", options.xmlFile));
  if (options.environment) return;
  if (!isFile) findLauncher(options);
  if (options.jsonFile != "-" && options.launcher.rank == 0) checkWritable("--json", options.jsonFile);
  const int ranks = options.ranks > 0 ? options.ranks : options.launcher.nRanks;
  if (options.measure && ranks == 0) throw InputError("--measure: there are no ranks; add --ranks N");
  if (options.measure && ranks > kMostMeasuredRanks)
    throw InputError(fmt::format("--measure: {} ranks are {} pairs, one after another; use at most {} ranks", ranks,
                                 ranks * (ranks - 1) / 2, kMostMeasuredRanks));
}

// nullopt: --help was answered.
std::optional<InfoOptions> parse(int argc, const char* const* argv) {
  InfoOptions options;
  std::string ranks;
  CLI::App app{"What this machine offers to libulysses_coll. Below a launcher: also how its ranks are joined.",
               "ulysses_info"};
  app.set_version_flag("--version", "ulysses_info " + versionText());
  app.add_flag("--env", options.environment, "print the documentation's table of environment variables, nothing else");
  app.add_option("--json", options.jsonFile,
                 "write the report to this file as JSON; -: to standard output, instead of text");
  app.add_option("--ranks", ranks, "start this many local ranks, show how each pair is joined; not below a launcher");
  app.add_flag("--measure", options.measure, "with ranks: time a transfer for each pair");
  app.add_option("--topology", options.xmlFile,
                 "show the machine that this XML file of hwloc describes (lstopo writes them)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answered) {
    app.exit(answered);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{} (see --help)", error.what()));
  }
  if (!ranks.empty()) options.ranks = static_cast<int>(parseInteger("--ranks", ranks, 1, kMaxRanks));
  check(options);
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
