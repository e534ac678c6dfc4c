// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "check_options.h"
#include "parse.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kLargestMessage = int64_t{1} << 30;

std::vector<int64_t> sizesBetween(int64_t least, int64_t most, double factor) {
  std::vector<int64_t> sizes;
  for (int64_t size = least; size > 0 && size <= most;) {
    sizes.push_back(size);
    size = std::max(size + 1, static_cast<int64_t>(static_cast<double>(size) * factor));
  }
  return sizes;
}

std::vector<int> depthsOf(const std::string& text) {
  std::vector<int> depths;
  for (const std::string& word : splitList(text))
    depths.push_back(static_cast<int>(parseInteger("--depth", word, 1, 32)));
  return depths;
}

}  // namespace

std::optional<NetOptions> parseNetOptions(int argc, char** argv) {
  NetOptions options;
  std::string least = "8", most = "64M", factor = "8", depths = "8", rounds = "5", compare;
  CLI::App app("The NCCL net plugin between two local processes: bandwidth and latency. Transports are UCX's: UCX_TLS.",
               "ulysses_perf net");
  app.add_option("--plugin", options.plugin, "file, or name for the loader [libnccl-net-ulysses.so]");
  app.add_option("--device", options.device, "network device, as UCX_NET_DEVICES [the plugin's first]");
  app.add_option("--min-bytes", least, "smallest message [8]");
  app.add_option("--max-bytes", most, "largest message, at most 1G [64M]");
  app.add_option("--factor", factor, "between sizes [8]");
  app.add_option("--depth", depths, "messages in flight, 1 to 32, a list [8]");
  app.add_option("--rounds", rounds, "how often each is measured [5]");
  app.add_option("--compare", compare, "ucx: ucx_perftest tag_bw and tag_lat in turns with it");
  app.add_flag("!--no-pin", options.pin, "leave the processes to the scheduler [each on a core of its own]");
  app.add_option("--json", options.jsonFile, "write the results there too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    app.exit(asked);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw InputError(std::string(error.what()) + "; see ulysses_perf net --help");
  }
  options.sizes =
      sizesBetween(parseBytes("--min-bytes", least), parseBytes("--max-bytes", most), parseFactor("--factor", factor));
  if (options.sizes.empty() || options.sizes.front() < 1 || options.sizes.back() > kLargestMessage)
    throw InputError("--min-bytes " + least + ", --max-bytes " + most + ": want 1 <= smallest <= largest <= 1G");
  options.depths = depthsOf(depths);
  options.rounds = static_cast<int>(parseInteger("--rounds", rounds, 1, 1000));
  if (!compare.empty() && compare != "ucx") throw InputError("--compare " + compare + ": net compares with ucx only");
  options.compareUcx = !compare.empty();
  checkWritable("--json", options.jsonFile);
  return options;
}

}  // namespace ulysses::perf
