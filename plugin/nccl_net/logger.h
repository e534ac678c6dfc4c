// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "abi/common.h"

namespace ulysses::nccl {

/// Where all of base/log.h goes in the plugin: to NCCL's logger and nowhere else (logger.cc is linked in place of
/// base/log.cc). NCCL decides by NCCL_DEBUG and NCCL_DEBUG_SUBSYS what is shown. Before it is set nothing is written.
void setLogger(DebugLogger logger) noexcept;

}  // namespace ulysses::nccl
