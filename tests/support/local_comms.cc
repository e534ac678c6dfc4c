// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/local_comms.h"

#include <stdexcept>

namespace ulysses::test {

LocalComms::LocalComms(const RunOptions& options) : byRank_(static_cast<std::size_t>(options.maxRanks)) {
  for (const CommKey& key : commsOf(options)) {
    std::vector<ulyssesComm_t> comms(static_cast<std::size_t>(key.nRanks));
    const ulyssesConfig_t config = configOf(key);
    const ulyssesResult_t result = ulyssesCommInitAll(comms.data(), key.nRanks, &config);
    if (result != ulyssesSuccess) throw std::runtime_error(callText("ulyssesCommInitAll", result, nullptr));
    for (std::size_t rank = 0; rank < comms.size(); ++rank) byRank_[rank][key] = comms[rank];
  }
}

LocalComms::~LocalComms() {
  for (const CommTable& comms : byRank_) {
    for (const auto& [key, comm] : comms) (void)ulyssesCommDestroy(comm);
  }
}

}  // namespace ulysses::test
