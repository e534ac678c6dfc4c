// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ucx/memory.h"

#include <utility>

#include "base/check.h"

namespace ulysses {

UcxMemory::UcxMemory(std::shared_ptr<UcxContext> context, void* data, size_t bytes, ucs_memory_type_t type)
    : ucx_(UcxLibrary::get()), context_(std::move(context)) {
  ucp_mem_map_params_t params{};
  params.field_mask =
      UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_MEMORY_TYPE;
  params.address = data;
  params.length = bytes;
  params.memory_type = type;
  const ucs_status_t status = ucx_.ucp_mem_map(context_->get(), &params, &memory_);
  if (status != UCS_OK)
    raise(Result::SystemError,
          "UCX: registering {} bytes of {} memory at {} failed: {}; is there memory it may lock (ulimit -l)?", bytes,
          type == UCS_MEMORY_TYPE_HOST ? "host" : "device", address(data), ucx_.ucs_status_string(status));
}

UcxMemory::~UcxMemory() { ucx_.ucp_mem_unmap(context_->get(), memory_); }

}  // namespace ulysses
