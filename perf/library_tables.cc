// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "library_tables.h"

#include <fmt/format.h>

#include <cstdlib>

#include "ulysses_coll.h"

namespace ulysses::perf {

using nlohmann::ordered_json;

std::string environmentTable() {
  std::string text = "| variable | default | values | meaning |\n|---|---|---|---|\n";
  ulyssesEnvironmentVariable_t variable;
  for (int i = 0; ulyssesGetEnvironmentVariable(i, &variable) == ulyssesSuccess; ++i)
    text +=
        fmt::format("| `{}` | {} | {} | {} |\n", variable.name, variable.defaultText, variable.values, variable.help);
  return text;
}

ordered_json environmentJson() {
  ordered_json list = ordered_json::array();
  ulyssesEnvironmentVariable_t variable;
  for (int i = 0; ulyssesGetEnvironmentVariable(i, &variable) == ulyssesSuccess; ++i) {
    const char* value = std::getenv(variable.name);
    const bool isSet = value != nullptr && *value != '\0';  // an empty one counts as unset
    list.push_back({{"name", variable.name},
                    {"value", isSet ? value : variable.defaultText},
                    {"from", isSet ? "environment" : "default"},
                    {"default", variable.defaultText},
                    {"values", variable.values},
                    {"meaning", variable.help}});
  }
  return list;
}

}  // namespace ulysses::perf
