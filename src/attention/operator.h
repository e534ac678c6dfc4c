// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "attention/courier.h"

namespace ulysses::attention {

/// One call of the operator at one rank: there, attend, back, group of heads by group of heads. While one is attended
/// the next one is on its way here and the one before on its way back.
class Operator {
 public:
  Operator(const Request& request, const Regions& regions, ulyssesComm_t comm, void* stream)
      : request_(request), regions_(regions), courier_(request, regions, comm, stream) {}

  /// Throws Failure, with the exchanges of all ranks in step, and none outstanding.
  void run();
  double localUs() const { return localUs_; }
  double exposedUs() const { return courier_.spentUs(); }

 private:
  void prepare();
  bool runGroups();
  void attend(int group);
  [[noreturn]] void raiseFailure() const;

  const Request& request_;
  const Regions& regions_;
  Courier courier_;
  Courier::Ticket there_, back_, lastBack_;
  int group_ = 0;
  double localUs_ = 0;
};

}  // namespace ulysses::attention
