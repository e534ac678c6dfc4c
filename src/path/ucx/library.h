// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// UCX as it is found at run time. It is loaded when the first communicator needs it and not before: its memory hooks
// and threads are nothing for programs of one host, and these run where UCX is not installed.
#pragma once
#include <ucp/api/ucp.h>
#include <ucs/debug/log_def.h>

#include <string>

namespace ulysses {

// Those of both UCX 1.13 and 1.2x.
#define ULYSSES_UCX_FUNCTIONS(X)    \
  X(ucp_get_version_string)         \
  X(ucp_config_read)                \
  X(ucp_config_modify)              \
  X(ucp_config_release)             \
  X(ucp_init_version)               \
  X(ucp_cleanup)                    \
  X(ucp_context_query)              \
  X(ucp_worker_create)              \
  X(ucp_worker_destroy)             \
  X(ucp_worker_query)               \
  X(ucp_worker_release_address)     \
  X(ucp_worker_progress)            \
  X(ucp_worker_set_am_recv_handler) \
  X(ucp_ep_create)                  \
  X(ucp_ep_flush_nbx)               \
  X(ucp_ep_close_nbx)               \
  X(ucp_am_send_nbx)                \
  X(ucp_tag_send_nbx)               \
  X(ucp_tag_recv_nbx)               \
  X(ucp_mem_map)                    \
  X(ucp_mem_unmap)                  \
  X(ucp_request_check_status)       \
  X(ucp_request_cancel)             \
  X(ucp_request_free)               \
  X(ucs_status_string)              \
  X(ucs_log_push_handler)

struct UcxLibrary {
#define ULYSSES_UCX_MEMBER(name) decltype(&::name) name = nullptr;
  ULYSSES_UCX_FUNCTIONS(ULYSSES_UCX_MEMBER)
#undef ULYSSES_UCX_MEMBER

  /// Loads it at the first call; it stays loaded. Signal handlers that it sets while it is loaded are
  /// taken off again: they are the program's business. Throws NotSupported that says what to install.
  static const UcxLibrary& get();

  /// "UCX 1.13.1".
  std::string versionText() const;
};

}  // namespace ulysses
