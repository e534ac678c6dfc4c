// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Makers of the contenders of --memory cuda, with the tensors in the GPU's memory.
#pragma once

#include <memory>

#include "case.h"
#include "contender.h"
#include "device.h"
#include "shared.h"
#include "shared_tensors.h"
#include "ulysses_coll.h"

namespace ulysses::perf {

// The library's exchange of registered device memory, enqueued on the device's stream. Collective.
std::unique_ptr<Contender> makeDeviceUlysses(const Case& test, int rank, ulyssesComm_t comm, Device& device);

// floor: one contiguous copy by CUDA, within the GPU, of as many bytes as the rank receives, with no regard to peers.
std::unique_ptr<Contender> makeDeviceFloor(const Case& test, int rank, Device& device);

// permute: what a careful user writes without the library (permute_plan.h). Partial values are not added: see
// whyNoPermute.
std::unique_ptr<Contender> makeDevicePermute(const Case& test, int rank, Device& device, const SharedStorage& storage,
                                             Barrier& barrier);
int64_t devicePermuteStripeBytes();  // of each rank's stripe

}  // namespace ulysses::perf
