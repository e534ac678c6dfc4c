// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "path/ucx/worker.h"

namespace ulysses {

/// Memory of the caller that UCX's devices know: later messages from and to it need not make it known first. Unmapped
/// with this object; messages that are under way keep what they need.
class UcxMemory {
 public:
  /// `type` is one that the context takes (UcxContext::memoryTypes). Throws SystemError with UCX's words.
  UcxMemory(std::shared_ptr<UcxContext> context, void* data, size_t bytes,
            ucs_memory_type_t type = UCS_MEMORY_TYPE_HOST);
  ~UcxMemory();
  UcxMemory(const UcxMemory&) = delete;
  UcxMemory& operator=(const UcxMemory&) = delete;

 private:
  const UcxLibrary& ucx_;
  std::shared_ptr<UcxContext> context_;
  ucp_mem_h memory_ = nullptr;
};

}  // namespace ulysses
