// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "attention/workspace.h"

namespace ulysses::attention {

/// The exchanges of one call, which every rank makes in the same order. After a failure of its own a rank refuses what
/// is left, up to the point at which its peers, too, notice: so all stay in step.
class Courier {
 public:
  /// A started exchange. A value; the default is none, which is complete.
  struct Ticket {
    ulyssesRequest_t request{};
    bool refused = false;
  };

  Courier(const Request& request, const Regions& regions, ulyssesComm_t comm, void* stream)
      : request_(request), regions_(regions), comm_(comm), stream_(stream) {}

  Ticket start(ulyssesOp_t op, int group);
  /// False: it failed here or at a peer; nothing further may be started.
  bool wait(Ticket& ticket);
  /// From now on exchanges are refused for this reason.
  void fail(ulyssesResult_t result, const std::string& text);
  bool hasFailed() const { return failure_ != ulyssesSuccess; }
  ulyssesResult_t failure() const { return failure_; }
  const std::string& failureText() const { return failureText_; }

  /// Time in this class so far.
  double spentUs() const { return spentUs_; }

 private:
  struct Operand {
    std::byte* data = nullptr;
    ulyssesLayout_t layout = ulyssesLayoutSBHD;
    ulyssesStrides_t strides{};
  };
  ulyssesGeometry_t geometry() const;
  Operand operandOf(int group, Role role) const;
  ulyssesTensor_t describe(int group, Role role, bool scatter) const;

  const Request& request_;
  const Regions& regions_;
  ulyssesComm_t comm_;
  void* stream_;
  ulyssesResult_t failure_ = ulyssesSuccess;
  std::string failureText_;
  double spentUs_ = 0;
};

}  // namespace ulysses::attention
