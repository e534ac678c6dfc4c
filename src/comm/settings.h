// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

namespace ulysses {

/// Options of a communicator after configuration, environment and defaults.
struct Settings {
  int64_t timeoutMs = 0;
  int64_t initTimeoutMs = 0;
  int64_t stagingBytes = 0;
  int planCacheSize = 0;
  bool progressThread = false;
  bool verify = false;  // hash what is sent and what arrived
  int64_t streamBytes = 0;
  uint32_t libraryVersion = 0;  // all ranks must run the same
  std::string name;             // empty: derived from the unique id

  /// Fills what is 0 from the environment, else the default for that many ranks on this host. Throws InvalidArgument
  /// naming field or variable.
  void resolve(int nRanks);
};

}  // namespace ulysses
