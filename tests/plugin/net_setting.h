// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <vector>

#include "net_ranks.h"

namespace ulysses::nccl_test {

/// Every version over TCP and over shared memory; under sanitizers the oldest, which is wrapped, and the newest.
inline std::vector<Setting> allSettings() {
  std::vector<Setting> settings;
  for (const char* transports : {"tcp,self", "posix,self"})
    for (const int version : kVersions)
      if (!isSanitized() || version == kVersions[0] || version == std::end(kVersions)[-1])
        settings.push_back({version, transports});
  return settings;
}

inline std::string nameOfSetting(const testing::TestParamInfo<Setting>& info) {
  return "v" + std::to_string(info.param.version) + (info.param.transports.starts_with("tcp") ? "_tcp" : "_shm");
}

}  // namespace ulysses::nccl_test
