// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ulysses {

/// What lies between two ranks, nearest first.
enum class LinkClass : int32_t { Self, Process, ShmSameNuma, ShmOtherNuma, Network };
inline constexpr int kLinkClassCount = 5;

constexpr const char* nameOf(LinkClass link) {
  constexpr const char* kNames[kLinkClassCount] = {"self", "process", "shm_same_numa", "shm_other_numa", "network"};
  return kNames[static_cast<int>(link)];
}

}  // namespace ulysses
