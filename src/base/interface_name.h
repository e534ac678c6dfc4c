// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <string_view>

namespace ulysses {

/// Whether a network interface is, by its name, one of containers and virtual machines on this host: they lead to no
/// other one.
inline bool isInternalInterface(std::string_view name) {
  constexpr std::array<std::string_view, 8> kPrefixes{"docker", "virbr",   "veth", "br-",
                                                      "cni",    "flannel", "cali", "tap"};
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace ulysses
