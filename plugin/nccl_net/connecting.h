// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "devices.h"
#include "send_comm.h"
#include "wire.h"

namespace ulysses::nccl {

/// Begins to connect at the first call with a handle, in which it notes that; null until the peer's listener is
/// reached. Throws InvalidArgument for what is no handle, RemoteLost when the peer cannot be reached, SystemError.
std::shared_ptr<SendComm> connectFrom(const void* owner, const NetDevice& device, Handle& handle);
/// Drops what an owner began and did not end.
void forgetConnecting(const void* owner);

}  // namespace ulysses::nccl
