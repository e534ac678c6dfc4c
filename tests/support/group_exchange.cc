// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/group_exchange.h"

#include <utility>

#include "support/issue.h"

namespace ulysses::test {

GroupExchange::GroupExchange(Case run, Images inputs, const std::vector<CommTable>& comms, const CommKey& key)
    : run_(std::move(run)), inputs_(std::move(inputs)), memories_(static_cast<std::size_t>(run_.nRanks)) {
  std::vector<std::vector<RankCase>> byRank(memories_.size());
  std::vector<ulyssesComm_t> ofRanks;
  for (std::size_t rank = 0; rank < memories_.size(); ++rank) {
    byRank[rank].emplace_back(run_, inputs_, static_cast<int>(rank), &memories_[rank]);
    ofRanks.push_back(comms[rank].at(key));
  }
  Rng rng(run_.seed, 1, static_cast<std::uint64_t>(run_.index));
  failure_ = issueAllRanks(byRank, ofRanks, &rng).text;
  for (std::size_t tensor = 0; tensor < run_.tensors.size(); ++tensor) {
    auto& ofTensor = outputs_.emplace_back();
    for (const auto& cases : byRank) ofTensor.push_back(cases[0].readBack(tensor, End::Output));
  }
}

Elements::Elements(const GroupExchange& exchange, std::size_t tensor, std::size_t rank, End end)
    : tensor_(exchange.run().tensors.at(tensor)),
      dims_(dimsOf(exchange.run(), tensor_, static_cast<int>(rank), end)),
      strides_((end == End::Input ? tensor_.inputs : tensor_.outputs).at(rank).strides),
      image_(exchange.images(end).at(tensor).at(rank)) {}

double Elements::at(std::int64_t token, std::int64_t batch, std::int64_t head, std::int64_t element) const {
  const std::int64_t offset = offsetOf(strides_, dims_, token, batch, head) + element;
  return decode(tensor_.type, image_.at(offset * static_cast<std::int64_t>(bytesOf(tensor_.type))));
}

}  // namespace ulysses::test
