// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "simulate.h"

#include <fmt/format.h>

#include "case.h"
#include "cluster.h"
#include "error.h"
#include "options.h"
#include "result_json.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

struct Prices {
  ulyssesPrice_t flat, twoLevel;
};

Prices predict(const Options& options, const Case& test) {
  const ulyssesGeometry_t geometry = test.geometry();
  std::vector<ulyssesTensor_t> tensors;
  tensors.reserve(test.tensors.size());
  for (int tensor = 0; tensor < test.nTensors(); ++tensor) tensors.push_back(test.descriptor(tensor, nullptr, nullptr));
  Prices prices{};
  if (ulyssesPredict(test.op, &geometry, tensors.data(), test.nTensors(), &options.cluster, &prices.flat,
                     &prices.twoLevel) != ulyssesSuccess)
    throw InputError(fmt::format("--simulate: {}", ulyssesGetLastError(nullptr)));
  return prices;
}

void printPrice(const char* name, const ulyssesPrice_t& price) {
  fmt::print("  {:<10} {:>14.1f} us, at most {} network messages from a rank\n", name, price.seconds * 1e6,
             price.mostNetworkMessages);
  for (size_t link = 0; link < kLinkNames.size(); ++link)
    if (price.messages[link] > 0)
      fmt::print("    {:<15} {:>20} bytes {:>12} messages\n", kLinkNames[link], price.bytes[link],
                 price.messages[link]);
}

ordered_json toJson(const ulyssesPrice_t& price) {
  ordered_json links;
  for (size_t link = 0; link < kLinkNames.size(); ++link)
    links[kLinkNames[link]] = {{"bytes", price.bytes[link]}, {"messages", price.messages[link]}};
  return {{"time_us", price.seconds * 1e6}, {"most_network_messages", price.mostNetworkMessages}, {"links", links}};
}

void write(const Options& options, const ordered_json& rows) {
  const ordered_json document = {{"schema", 1},
                                 {"tool", "ulysses_perf"},
                                 {"mode", "simulate"},
                                 {"operation", operationName(options.operation)},
                                 {"backward", options.backward},
                                 {"cluster_file", options.simulateFile},
                                 {"hosts", options.cluster.hosts},
                                 {"ranks_per_host", options.cluster.ranksPerHost},
                                 {"rows", rows}};
  writeFile(options.jsonFile, document.dump(2) + "\n");
}

}  // namespace

int simulate(const Options& options) {
  fmt::print("# predicted, not measured: {}{} on {} hosts x {} ranks ({})\n", operationName(options.operation),
             options.backward ? " backward" : "", options.cluster.hosts, options.cluster.ranksPerHost,
             options.simulateFile);
  ordered_json rows = ordered_json::array();
  for (const Case& test : makeCases(options)) {
    const Prices prices = predict(options, test);
    const int64_t bytes = test.largestReceivedBytes();
    fmt::print("seq {}: a rank receives at most {} ({} bytes)\n", test.sequence, formatBytes(bytes), bytes);
    printPrice("flat", prices.flat);
    printPrice("two-level", prices.twoLevel);
    rows.push_back({{"sequence", test.sequence},
                    {"largest_received_bytes", bytes},
                    {"flat", toJson(prices.flat)},
                    {"two_level", toJson(prices.twoLevel)}});
  }
  if (!options.jsonFile.empty()) write(options, rows);
  return 0;
}

}  // namespace ulysses::perf
