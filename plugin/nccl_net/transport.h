// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "devices.h"
#include "path/ucx/worker.h"

namespace ulysses::nccl {

/// UCX's context for a device: shared by its connections, gone with the last of them. Throws SystemError with UCX's
/// words.
std::shared_ptr<UcxContext> transportOf(const NetDevice& device);

/// The NCCL_PTR_* that NCCL is offered for a device, by what the UCX at hand takes there; asked once. Host memory only
/// where UCX cannot open it, which NCCL hears when it uses the device. May throw bad_alloc.
int pointersOf(const NetDevice& device);

}  // namespace ulysses::nccl
