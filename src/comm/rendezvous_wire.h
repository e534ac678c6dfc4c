// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "comm/rendezvous.h"

namespace ulysses {

/// First thing a rank sends.
struct HelloMessage {
  static constexpr uint64_t kMagic = 0x6f6c6c6568796c75ULL;
  uint64_t magic = kMagic;
  uint32_t wireVersion = 0, reserved = 0;
  Secret secret{};
  RankInfo info;
};

/// The answer; with result 0, nRanks RankInfo records follow.
struct WelcomeMessage {
  static constexpr uint64_t kMagic = 0x656d6f636c796c75ULL;
  uint64_t magic = kMagic;
  int32_t result = 0;
  int32_t nRanks = 0;
  Secret meshToken{};
  char text[512] = {};
};

}  // namespace ulysses
