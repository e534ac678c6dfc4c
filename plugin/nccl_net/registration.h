// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>

#include "path/ucx/memory.h"

namespace ulysses::nccl {

/// What NCCL holds of registered memory: a "memory handle". Empty memory is nothing to UCX.
struct Registration {
  Registration(std::shared_ptr<UcxContext> transport, void* start, size_t length, ucs_memory_type_t kind)
      : data(start), bytes(length), type(kind) {
    if (bytes > 0) memory.emplace(std::move(transport), start, length, kind);
  }
  const void* data;
  size_t bytes;
  ucs_memory_type_t type;
  std::optional<UcxMemory> memory;
};

/// The kind of the memory of a message. NCCL gives no handle for some messages, which are the host's.
inline ucs_memory_type_t typeOf(const void* mhandle) noexcept {
  return mhandle ? static_cast<const Registration*>(mhandle)->type : UCS_MEMORY_TYPE_HOST;
}
inline ucs_memory_type_t typeOf(void* const* mhandles, int index) noexcept {
  return typeOf(mhandles ? mhandles[index] : nullptr);
}

}  // namespace ulysses::nccl
