// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "result_json.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

namespace ulysses::perf {

using nlohmann::ordered_json;

double toNs(double us) { return std::round(us * 1e3) * 1e-3; }

ordered_json timesJson(const TimesUs& times) {
  return {{"min", toNs(times.min)}, {"p50", toNs(times.p50)}, {"p99", toNs(times.p99)}, {"max", toNs(times.max)}};
}

ordered_json geometryJson(const Options& options, const Case& test) {
  return {{"ranks", test.ranks},
          {"seq", test.sequence},
          {"batch", test.batch},
          {"heads", test.heads},
          {"kv_heads", test.kvHeads},
          {"head_dim", options.headDim},
          {"v_head_dim", options.valueHeadDim},
          {"dtype", test.type->name},
          {"layout", options.layoutName},
          {"order", orderName(test.order)}};
}

void writeFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw RunError(fmt::format("write of {}: {}", path, std::strerror(errno)));
}

}  // namespace ulysses::perf
