// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "compare.h"

namespace ulysses::perf {
namespace {

class UlyssesContender : public Contender {
 public:
  UlyssesContender(const Options& options, const Case& test, int rank, ulyssesComm_t comm)
      : Contender(test, rank), comm_(comm), geometry_(test.geometry()) {
    const auto allocate = options.memory == Memory::kRegistered ? Buffer::registered : Buffer::plain;
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      inputs_.push_back(allocate(test.inputBytes(tensor, rank)));
      outputs_.push_back(allocate(test.outputBytes(tensor, rank)));
      tensors_.push_back(test.descriptor(tensor, inputs_.back().data(), outputs_.back().data()));
    }
  }

  void exchange() override {
    const auto collective = test_.op == ulyssesOpScatterHeads ? ulyssesScatterHeads : ulyssesGatherHeads;
    const ulyssesResult_t result =
        collective(&geometry_, tensors_.data(), static_cast<int>(tensors_.size()), comm_, nullptr);
    if (result != ulyssesSuccess) fail(result);
  }

 private:
  [[noreturn]] void fail(ulyssesResult_t result) const {
    throw RunError(fmt::format("{}: {}: {}",
                               test_.op == ulyssesOpScatterHeads ? "ulyssesScatterHeads" : "ulyssesGatherHeads",
                               ulyssesGetErrorString(result), ulyssesGetLastError(comm_)));
  }

  ulyssesComm_t comm_;
  ulyssesGeometry_t geometry_;
  std::vector<ulyssesTensor_t> tensors_;
};

}  // namespace

std::unique_ptr<Contender> makeUlysses(const Options& options, const Case& test, int rank, ulyssesComm_t comm) {
  return std::make_unique<UlyssesContender>(options, test, rank, comm);
}

}  // namespace ulysses::perf
