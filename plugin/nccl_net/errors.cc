// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "errors.h"

namespace ulysses::nccl {

NcclResult ncclResultOf(Result result) noexcept {
  switch (result) {
    case Result::Success:
      return NcclResult::Success;
    case Result::InvalidArgument:
      return NcclResult::InvalidArgument;
    case Result::InvalidUsage:
      return NcclResult::InvalidUsage;
    case Result::RemoteLost:
      return NcclResult::RemoteError;
    case Result::SystemError:
    case Result::OutOfMemory:
    case Result::NotSupported:
      return NcclResult::SystemError;
    default:
      return NcclResult::InternalError;
  }
}

}  // namespace ulysses::nccl
