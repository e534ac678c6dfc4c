// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "compare_device.h"
#include "device_contender.h"
#include "gather.h"

namespace ulysses::perf {
namespace {

std::vector<int64_t> sizesOf(const Case& test, int rank) {
  std::vector<int64_t> sizes;
  sizes.reserve(2 * static_cast<size_t>(test.nTensors()));
  for (int tensor = 0; tensor < test.nTensors(); ++tensor) sizes.push_back(test.inputBytes(tensor, rank));
  for (int tensor = 0; tensor < test.nTensors(); ++tensor) sizes.push_back(test.outputBytes(tensor, rank));
  return sizes;
}

class DeviceUlysses : public DeviceContender {
 public:
  DeviceUlysses(const Case& test, int rank, ulyssesComm_t comm, Device& device)
      : DeviceContender(test, rank, device, sizesOf(test, rank)), comm_(comm), geometry_(test.geometry()) {
    for (int tensor = 0; tensor < test.nTensors(); ++tensor)
      tensors_.push_back(test.descriptor(tensor, arena_.data(input(tensor)), arena_.data(output(tensor))));
    requireSuccess("--memory cuda: ulyssesCommRegister",
                   ulyssesCommRegister(comm_, arena_.start(), static_cast<size_t>(arena_.bytes()), &registration_),
                   comm_);
  }

  void exchange() override {
    const bool scatters = test_.op == ulyssesOpScatterHeads;
    const auto collective = scatters ? ulyssesScatterHeads : ulyssesGatherHeads;
    requireSuccess(scatters ? "ulyssesScatterHeads" : "ulyssesGatherHeads",
                   collective(&geometry_, tensors_.data(), static_cast<int>(tensors_.size()), comm_, device_.stream()),
                   comm_);
  }

  void finish() override {
    DeviceContender::finish();
    requireNoTrouble();
  }
  double stopClockUs() override {
    const double us = DeviceContender::stopClockUs();
    requireNoTrouble();
    return us;
  }

  // What the library mapped of peers goes before any of them frees it.
  void release() override {
    requireSuccess("ulyssesCommDeregister", ulyssesCommDeregister(comm_, registration_), comm_);
  }

 private:
  // What went wrong on the device comes by itself, not from the call.
  void requireNoTrouble() const {
    ulyssesResult_t trouble = ulyssesSuccess;
    requireSuccess("ulyssesCommGetAsyncError", ulyssesCommGetAsyncError(comm_, &trouble), comm_);
    requireSuccess("the exchange on the GPU", trouble, comm_);
  }

  ulyssesComm_t comm_;
  ulyssesGeometry_t geometry_;
  std::vector<ulyssesTensor_t> tensors_;
  void* registration_ = nullptr;
};

}  // namespace

std::unique_ptr<Contender> makeDeviceUlysses(const Case& test, int rank, ulyssesComm_t comm, Device& device) {
  return std::make_unique<DeviceUlysses>(test, rank, comm, device);
}

}  // namespace ulysses::perf
