// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>
#include <new>

#include "abi/common.h"
#include "base/check.h"
#include "base/log.h"
#include "ucx_log.h"

namespace ulysses::nccl {

/// What NCCL is told of a result: RemoteError when a peer is to blame, SystemError for what this machine lacks.
NcclResult ncclResultOf(Result result) noexcept;

/// The body of a function that NCCL calls: nothing is thrown into NCCL, and what was thrown is in its log.
template <typename Body>
NcclResult guard(const char* function, Body&& body) noexcept {
  const InPlugin inPlugin;
  try {
    return body();
  } catch (const Error& error) {
    log::warn(log::Subsystem::Path, "{}: {}", function, error.what());
    return ncclResultOf(error.result());
  } catch (const std::bad_alloc&) {
    log::warn(log::Subsystem::Path, "{}: out of memory", function);
    return NcclResult::SystemError;
  } catch (const std::exception& error) {
    log::warn(log::Subsystem::Path, "{}: {}", function, error.what());
    return NcclResult::InternalError;
  }
}

}  // namespace ulysses::nccl
