// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "api/guard.h"
#include "comm/handle_table.h"

namespace ulysses::api {

inline uint64_t idOf(ulyssesComm_t comm) { return reinterpret_cast<uint64_t>(comm); }
inline ulyssesComm_t handleOf(uint64_t id) { return reinterpret_cast<ulyssesComm_t>(id); }

/// Throws InvalidUsage for a handle that is no communicator (any more).
HandleTable::Reference requireComm(uint64_t id);

/// Runs fn(communicator) with exclusive use of it and keeps its error text. Throws InvalidUsage for concurrent use.
template <typename Fn>
Result withComm(uint64_t id, Fn&& fn) {
  const HandleTable::Reference comm = requireComm(id);
  Communicator::Use use(*comm);
  if (!use)
    raise(Result::InvalidUsage,
          "communicator is in use by another thread: calls on one communicator must not overlap (use one per thread, "
          "or a lock)");
  const Result result = fn(*comm);
  if (result != Result::Success) threadError() = comm->rememberFailure(result);
  return result;
}

}  // namespace ulysses::api
