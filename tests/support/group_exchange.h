// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/case.h"
#include "support/rank_memory.h"
#include "support/schedule.h"

namespace ulysses::test {

/// A case carried out by all ranks, driven by this thread, and what it left in memory. For tests that look at the
/// values rather than compare them with the oracle.
class GroupExchange {
 public:
  GroupExchange(Case run, Images inputs, const std::vector<CommTable>& comms, const CommKey& key);

  /// Of the calls; "" when they all succeeded.
  const std::string& failure() const { return failure_; }
  const Case& run() const { return run_; }
  const Images& images(End end) const { return end == End::Input ? inputs_ : outputs_; }

 private:
  Case run_;
  Images inputs_;
  std::vector<RankMemory> memories_;
  std::string failure_;
  Images outputs_;
};

/// One end of one tensor at one rank, by logical index.
class Elements {
 public:
  Elements(const GroupExchange& exchange, std::size_t tensor, std::size_t rank, End end);

  const Dims& dims() const { return dims_; }
  double at(std::int64_t token, std::int64_t batch, std::int64_t head, std::int64_t element) const;

 private:
  const TensorCase& tensor_;
  Dims dims_;
  ulyssesStrides_t strides_;
  const Image& image_;
};

}  // namespace ulysses::test
