// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a launcher answers over PMI-1. Beside the parser: what it took is found again in the line, and nothing else.
#include <cstdlib>
#include <string>

#include "comm/launch/pmi_reply.h"

using namespace ulysses;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool isWithin(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view line(reinterpret_cast<const char*>(data), size);
  if (line.ends_with('\n')) line.remove_suffix(1);  // of the corpus' files
  const auto reply = PmiReply::parse(line);
  if (!reply) return 0;
  require(line.size() <= kLongestPmiLine && line.find('\n') == std::string_view::npos);
  require(isWithin(reply->command(), line));
  for (const char* key : {"rc", "value", "kvsname", "vallen_max"}) {
    const auto value = reply->find(key);
    if (!value) continue;
    require(isWithin(*value, line) && value->find(' ') == std::string_view::npos);
    const auto number = reply->number(key);
    require(!number || std::stoll(std::string(*value)) == *number);
  }
  return 0;
}
