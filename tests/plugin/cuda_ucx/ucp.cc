// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Stands in for a UCX that takes CUDA memory: the UCX of this machine, which has to do with host memory only, behind
// functions that say otherwise and count what they are told. "CUDA memory" is the host's here.
#include <dlfcn.h>
#include <ucp/api/ucp.h>
#include <ucs/debug/log_def.h>

#include <cstdio>
#include <cstdlib>

#include "seen.h"

namespace ulysses::nccl_test {
namespace {

Seen seen;

void* symbolOf(void* library, const char* name) {
  void* const found = library ? dlsym(library, name) : nullptr;
  if (found) return found;
  std::fprintf(stderr, "%s of %s: %s\n", name, ULYSSES_TEST_UCX, dlerror());
  std::abort();
}

template <typename Function>
Function* real(Function*, const char* name) {
  static void* const library = dlopen(ULYSSES_TEST_UCX, RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function*>(symbolOf(library, name));
}

bool hasContext() {
  static const auto current =
      reinterpret_cast<ContextFn>(symbolOf(dlopen("libcuda.so.1", RTLD_NOW), "cuCtxGetCurrent"));
  void* context = nullptr;
  return current(&context) == 0 && context;
}

bool isCuda(ucs_memory_type_t type) { return type == UCS_MEMORY_TYPE_CUDA; }

/// The same for the UCX behind, which takes it for the host's.
ucp_request_param_t toHost(const ucp_request_param_t& params) {
  ucp_request_param_t host = params;
  host.memory_type = UCS_MEMORY_TYPE_HOST;
  return host;
}

}  // namespace
}  // namespace ulysses::nccl_test

using namespace ulysses::nccl_test;  // NOLINT(google-build-using-namespace): all that follows is C

#define REAL(name) real(&(name), #name)
#define FORWARD(result, name, parameters, arguments) \
  result name parameters { return REAL(name) arguments; }

extern "C" {

Seen* ulyssesTestSeen() { return &seen; }

ucs_status_t ucp_context_query(ucp_context_h context, ucp_context_attr_t* attributes) {
  const ucs_status_t status = REAL(ucp_context_query)(context, attributes);
  if (attributes->field_mask & UCP_ATTR_FIELD_MEMORY_TYPES)
    attributes->memory_types |= uint64_t{1} << UCS_MEMORY_TYPE_CUDA;
  return status;
}

ucs_status_t ucp_mem_map(ucp_context_h context, const ucp_mem_map_params_t* params, ucp_mem_h* memory) {
  ++(isCuda(params->memory_type) ? seen.mapped : seen.hostMapped);
  ucp_mem_map_params_t host = *params;
  host.memory_type = UCS_MEMORY_TYPE_HOST;
  return REAL(ucp_mem_map)(context, &host, memory);
}

ucs_status_ptr_t ucp_tag_send_nbx(ucp_ep_h ep, const void* data, size_t count, ucp_tag_t tag,
                                  const ucp_request_param_t* params) {
  ++(isCuda(params->memory_type) ? seen.sent : seen.hostSent);
  const ucp_request_param_t host = toHost(*params);
  return REAL(ucp_tag_send_nbx)(ep, data, count, tag, &host);
}

ucs_status_ptr_t ucp_tag_recv_nbx(ucp_worker_h worker, void* data, size_t count, ucp_tag_t tag, ucp_tag_t mask,
                                  const ucp_request_param_t* params) {
  ++(isCuda(params->memory_type) ? seen.received : seen.hostReceived);
  const ucp_request_param_t host = toHost(*params);
  return REAL(ucp_tag_recv_nbx)(worker, data, count, tag, mask, &host);
}

unsigned ucp_worker_progress(ucp_worker_h worker) {
  if (seen.mapped > 0) ++(hasContext() ? seen.progressWith : seen.progressWithout);
  return REAL(ucp_worker_progress)(worker);
}

FORWARD(const char*, ucp_get_version_string, (), ())
FORWARD(ucs_status_t, ucp_config_read, (const char* prefix, const char* file, ucp_config_t** config),
        (prefix, file, config))
FORWARD(ucs_status_t, ucp_config_modify, (ucp_config_t * config, const char* name, const char* value),
        (config, name, value))
FORWARD(void, ucp_config_release, (ucp_config_t * config), (config))
FORWARD(ucs_status_t, ucp_init_version,
        (unsigned major, unsigned minor, const ucp_params_t* params, const ucp_config_t* config,
         ucp_context_h* context),
        (major, minor, params, config, context))
FORWARD(void, ucp_cleanup, (ucp_context_h context), (context))
FORWARD(ucs_status_t, ucp_worker_create,
        (ucp_context_h context, const ucp_worker_params_t* params, ucp_worker_h* worker), (context, params, worker))
FORWARD(void, ucp_worker_destroy, (ucp_worker_h worker), (worker))
FORWARD(ucs_status_t, ucp_worker_query, (ucp_worker_h worker, ucp_worker_attr_t* attributes), (worker, attributes))
FORWARD(void, ucp_worker_release_address, (ucp_worker_h worker, ucp_address_t* address), (worker, address))
FORWARD(ucs_status_t, ucp_worker_set_am_recv_handler, (ucp_worker_h worker, const ucp_am_handler_param_t* params),
        (worker, params))
FORWARD(ucs_status_t, ucp_ep_create, (ucp_worker_h worker, const ucp_ep_params_t* params, ucp_ep_h* ep),
        (worker, params, ep))
FORWARD(ucs_status_ptr_t, ucp_ep_flush_nbx, (ucp_ep_h ep, const ucp_request_param_t* params), (ep, params))
FORWARD(ucs_status_ptr_t, ucp_ep_close_nbx, (ucp_ep_h ep, const ucp_request_param_t* params), (ep, params))
FORWARD(ucs_status_ptr_t, ucp_am_send_nbx,
        (ucp_ep_h ep, unsigned id, const void* header, size_t headerBytes, const void* data, size_t count,
         const ucp_request_param_t* params),
        (ep, id, header, headerBytes, data, count, params))
FORWARD(ucs_status_t, ucp_mem_unmap, (ucp_context_h context, ucp_mem_h memory), (context, memory))
FORWARD(ucs_status_t, ucp_request_check_status, (void* request), (request))
FORWARD(void, ucp_request_cancel, (ucp_worker_h worker, void* request), (worker, request))
FORWARD(void, ucp_request_free, (void* request), (request))
FORWARD(const char*, ucs_status_string, (ucs_status_t status), (status))
FORWARD(void, ucs_log_push_handler, (ucs_log_func_t handler), (handler))
}
