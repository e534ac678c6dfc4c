// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "path/cuda/engine.h"
#include "plan/crossing.h"
#include "topo/nic_choice.h"

namespace ulysses {

/// Which paths a communicator may use: by topology, or one of them only.
enum class PathChoice : int32_t { Auto, Shm, Ucx };

/// Options of a communicator after configuration, environment and defaults.
struct Settings {
  /// Where a value is from.
  enum class Origin { Unset, Config, Environment, Default };

  int64_t timeoutMs = 0;
  int64_t initTimeoutMs = 0;
  int64_t stagingBytes = 0;
  int planCacheSize = 0;
  bool progressThread = false;
  bool verify = false;  // hash what is sent and what arrived
  int64_t streamBytes = 0;
  int64_t gpuBlocks = 0;  // most of an exchange of GPU memory; 0: all there is room for
  PathChoice path = PathChoice::Auto;
  Crossing crossing = Crossing::Heads;  // between hosts
  EnginePolicy gpuEngine = EnginePolicy::Auto;
  NicRequest netDevices{};
  std::string hostId;           // "": by the system
  uint32_t libraryVersion = 0;  // all ranks must run the same
  std::string name;             // empty: derived from the unique id

  /// Fills what is 0 from the environment, else the default for that many ranks on this host. Throws InvalidArgument
  /// naming field or variable. Again on what was resolved: nothing changes but what depends on the number of ranks.
  void resolve(int nRanks);

  /// One setting, for the log and the dump.
  struct Row {
    const char* name;
    int64_t value;
    const char* word;  // the value in words, or null
    Origin from;
    const char* variable;
  };
  static constexpr int kRows = 12;
  std::array<Row, kRows> rows() const;
  /// "timeout_ms=600000 (default), staging_bytes=4096 (config), ...".
  std::string toText() const;

 private:
  std::array<Origin, kRows> origins_{};
};

const char* nameOf(Settings::Origin origin);
const char* nameOf(PathChoice choice);
const char* nameOf(Crossing crossing);
const char* nameOf(NicPolicy policy);

}  // namespace ulysses
