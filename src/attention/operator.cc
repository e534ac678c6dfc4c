// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/operator.h"

#include <algorithm>

#include "attention/clock.h"
#include "attention/delta.h"
#include "attention/tag.h"

namespace ulysses::attention {

void Operator::run() {
  prepare();
  if (runGroups()) return;
  for (Courier::Ticket* left : {&there_, &lastBack_, &back_}) (void)courier_.wait(*left);
  raiseFailure();
}

void Operator::prepare() {
  if (!request_.backward) return;
  computeDelta(request_, reinterpret_cast<float*>(regions_.delta));
  if (request_.tensors.sinkGradients != nullptr)
    std::fill_n(request_.tensors.sinkGradients, request_.split.queryHeadCount, 0.0F);
}

/// The first exchange is waited for before another one is started: whatever ranks differ in, it shows there, before
/// they could start different numbers of them. False: something failed; up to three exchanges may be outstanding.
bool Operator::runGroups() {
  there_ = courier_.start(ulyssesOpScatterHeads, 0);
  if (!courier_.wait(there_)) return false;
  for (group_ = 0; group_ < request_.groups; ++group_) {
    there_ = {};
    if (group_ + 1 < request_.groups) there_ = courier_.start(ulyssesOpScatterHeads, group_ + 1);
    attend(group_);
    back_ = courier_.start(ulyssesOpGatherHeads, group_);
    if (!courier_.wait(lastBack_)) return false;
    lastBack_ = back_;
    back_ = {};
    if (!courier_.wait(there_)) return false;
  }
  return courier_.wait(lastBack_);
}

void Operator::attend(int group) {
  if (request_.isIdle() || courier_.hasFailed()) return;
  const Spent spent(localUs_);
  const ulyssesLocalAttention_t problem = localProblem(request_, regions_, group);
  threadError().clear();
  const ulyssesResult_t result = request_.options.local(&problem, request_.options.localContext);
  if (result == ulyssesSuccess) return;
  const bool isKnown = result > ulyssesSuccess && result <= ulyssesCorrupted;
  const std::string& own = threadError();
  courier_.fail(isKnown ? result : ulyssesInternalError,
                formatText("the local attention returned {} ({}){}{}", static_cast<int>(result),
                           ulyssesGetErrorString(result), own.empty() ? "" : ": ", own));
}

void Operator::raiseFailure() const {
  std::string text = formatText("attention {}", request_.backward ? "backward" : "forward");
  if (request_.groups > 1) text += formatText(", head group {} of {}", group_ + 1, request_.groups);
  text += ": " + courier_.failureText();
  if (courier_.failure() == ulyssesMismatch) {
    if (namesTag(courier_.failureText())) text += " (the tag is a hash of the attention options: they differ)";
    text += "; this rank's attention options: " + describeOptions(request_);
  }
  throw Failure(courier_.failure(), text);
}

}  // namespace ulysses::attention
