// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ucx/worker.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "path/ucx/ports.h"

namespace ulysses {
namespace {

void requireOk(const UcxLibrary& ucx, ucs_status_t status, const char* what) {
  if (status != UCS_OK)
    raise(Result::SystemError,
          "UCX: {} failed: {}; look at its devices and transports (ucx_info -d; UCX_NET_DEVICES, UCX_TLS)", what,
          ucx.ucs_status_string(status));
}

bool hasInfiniband() {
  std::error_code none;
  const std::filesystem::directory_iterator devices("/sys/class/infiniband", none);
  return !none && devices != std::filesystem::directory_iterator();
}

/// A default of ours, where the user has not set UCX_<name>. One that this UCX does not know is left out.
void prefer(const UcxLibrary& ucx, ucp_config_t* config, const char* name, const char* value) {
  if (std::getenv(formatText("UCX_{}", name).c_str())) return;
  if (const ucs_status_t status = ucx.ucp_config_modify(config, name, value); status != UCS_OK)
    log::info(log::Subsystem::Path, "UCX_{}={} is not possible with this UCX: {}", name, value,
              ucx.ucs_status_string(status));
}

/// Whether the user's choice of transports leaves shared memory in.
bool allowsSharedMemory() {
  const char* chosen = std::getenv("UCX_TLS");
  if (!chosen) return true;
  const std::string_view list = chosen;
  return std::ranges::any_of(std::array{"all", "sm", "shm", "mm", "posix", "sysv", "xpmem", "^"},
                             [&](const char* name) { return list.find(name) != list.npos; });
}

/// - Shared memory is left out in peer-error mode unless asked for.
/// - A message of shared memory is cut into segments of 48 KiB, not of 8: 10 against 14.5 ms for 16 MiB each way where
///   memory is slow. Their length has 16 bits. Fewer of them are taken at a time, as /dev/shm may be small.
/// - A peer whose host vanished is noticed within seconds, not after 20.
/// - Chunks go eagerly but over InfiniBand: 3.0 against 1.2 to 2.2 GB/s by rendezvous over TCP (256 KiB and 1 MiB,
///   ucx_perftest 1.13.1), and no slower over shared memory.
void setDefaults(const UcxLibrary& ucx, ucp_config_t* config) {
  if (allowsSharedMemory()) {
    prefer(ucx, config, "MM_ERROR_HANDLING", "y");
    prefer(ucx, config, "MM_SEG_SIZE", "48K");
    prefer(ucx, config, "MM_RX_BUFS_GROW", "80");
  }
  prefer(ucx, config, "KEEPALIVE_INTERVAL", "1s");
  if (!hasInfiniband()) prefer(ucx, config, "RNDV_THRESH", "inf");
}

/// Of a request with a callback, which the caller sets; UCX would else have to find out what memory it is.
ucp_request_param_t memoryOf(ucs_memory_type_t type, void* argument) {
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
  params.user_data = argument;
  params.memory_type = type;
  return params;
}

}  // namespace

UcxContext::UcxContext(const char* netDevices) : ucx_(UcxLibrary::get()) {
  ucp_config_t* config = nullptr;
  requireOk(ucx_, ucx_.ucp_config_read(nullptr, nullptr, &config), "reading its configuration");
  ucs_status_t status = UCS_OK;
  try {
    setDefaults(ucx_, config);
    if (netDevices) {
      requireOk(ucx_, ucx_.ucp_config_modify(config, "NET_DEVICES", netDevices), "choosing network devices");
      prefer(ucx_, config, "WARN_INVALID_CONFIG", "n");
    }
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED | UCP_PARAM_FIELD_NAME;
    params.features = UCP_FEATURE_TAG | UCP_FEATURE_AM;
    params.mt_workers_shared = 1;
    params.name = "ulysses";
    status = ucx_.ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context_);
  } catch (...) {
    ucx_.ucp_config_release(config);
    throw;
  }
  ucx_.ucp_config_release(config);
  requireOk(ucx_, status, "making a context");
}

UcxContext::~UcxContext() {
  if (context_) ucx_.ucp_cleanup(context_);
}

bool UcxContext::registersMemory() { return hasInfiniband(); }

uint64_t UcxContext::memoryTypes() const {
  ucp_context_attr_t attributes{};
  attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
  requireOk(ucx_, ucx_.ucp_context_query(context_, &attributes), "asking for memory types");
  return attributes.memory_types;
}

std::shared_ptr<UcxContext> UcxContext::shared(const std::string& netDevices) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<UcxContext>> made;
  const std::lock_guard lock(mutex);
  std::erase_if(made, [](const auto& each) { return each.second.expired(); });
  std::shared_ptr<UcxContext> context = made[netDevices].lock();
  if (!context)
    made[netDevices] = context = std::make_shared<UcxContext>(netDevices.empty() ? nullptr : netDevices.c_str());
  return context;
}

UcxWorker::UcxWorker(std::shared_ptr<UcxContext> context) : ucx_(UcxLibrary::get()), context_(std::move(context)) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  requireFreePorts();
  requireOk(ucx_, ucx_.ucp_worker_create(context_->get(), &params, &worker_), "making a worker");
}

UcxWorker::~UcxWorker() { ucx_.ucp_worker_destroy(worker_); }

std::vector<std::byte> UcxWorker::address() const {
  ucp_worker_attr_t attributes{};
  attributes.field_mask = UCP_WORKER_ATTR_FIELD_ADDRESS;
  requireOk(ucx_, ucx_.ucp_worker_query(worker_, &attributes), "asking for the worker's address");
  const auto* bytes = reinterpret_cast<const std::byte*>(attributes.address);
  std::vector<std::byte> address(bytes, bytes + attributes.address_length);
  ucx_.ucp_worker_release_address(worker_, attributes.address);
  return address;
}

void UcxWorker::onMessage(unsigned id, ucp_am_recv_callback_t callback, void* argument) {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = id;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = callback;
  params.arg = argument;
  requireOk(ucx_, ucx_.ucp_worker_set_am_recv_handler(worker_, &params), "setting a message handler");
}

ucs_status_t UcxWorker::open(std::span<const std::byte> address, ucp_err_handler_cb_t onFailure, void* argument,
                             ucp_ep_h* endpoint) noexcept {
  ucp_ep_params_t params{};
  params.field_mask =
      UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = onFailure;
  params.err_handler.arg = argument;
  return ucx_.ucp_ep_create(worker_, &params, endpoint);
}

void UcxWorker::finish(std::vector<void*>& requests, Deadline deadline) noexcept {
  for (void* request : requests) {
    while (ucx_.ucp_request_check_status(request) == UCS_INPROGRESS && !deadline.passed()) progress();
    ucx_.ucp_request_free(request);
  }
  requests.clear();
}

ucs_status_ptr_t UcxWorker::flush(ucp_ep_h endpoint) noexcept {
  const ucp_request_param_t params{};
  return ucx_.ucp_ep_flush_nbx(endpoint, &params);
}

void UcxWorker::close(std::span<const ucp_ep_h> endpoints) noexcept {
  constexpr int64_t kFlushMs = 50;
  std::vector<void*> requests;
  requests.reserve(endpoints.size());
  for (const ucp_ep_h endpoint : endpoints)
    if (const ucs_status_ptr_t request = flush(endpoint); UCS_PTR_IS_PTR(request)) requests.push_back(request);
  finish(requests, Deadline::inMs(kFlushMs));
  closeNow(endpoints);
}

void UcxWorker::closeNow(std::span<const ucp_ep_h> endpoints) noexcept {
  constexpr int64_t kCloseMs = 200;
  std::vector<void*> requests;
  requests.reserve(endpoints.size());
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_EP_CLOSE_FLAG_FORCE;
  for (const ucp_ep_h endpoint : endpoints)
    if (const ucs_status_ptr_t request = ucx_.ucp_ep_close_nbx(endpoint, &params); UCS_PTR_IS_PTR(request))
      requests.push_back(request);
  finish(requests, Deadline::inMs(kCloseMs));
}

ucs_status_ptr_t UcxWorker::send(ucp_ep_h endpoint, unsigned messageId, std::span<const std::byte> message,
                                 ucp_send_nbx_callback_t callback, void* argument) noexcept {
  ucp_request_param_t params = memoryOf(UCS_MEMORY_TYPE_HOST, argument);
  params.op_attr_mask |= UCP_OP_ATTR_FIELD_FLAGS;
  params.cb.send = callback;
  params.flags = UCP_AM_SEND_FLAG_EAGER;
  return ucx_.ucp_am_send_nbx(endpoint, messageId, nullptr, 0, message.data(), message.size(), &params);
}

ucs_status_ptr_t UcxWorker::sendTagged(ucp_ep_h endpoint, ucp_tag_t tag, std::span<const std::byte> bytes,
                                       ucp_send_nbx_callback_t callback, void* argument,
                                       ucs_memory_type_t type) noexcept {
  ucp_request_param_t params = memoryOf(type, argument);
  params.cb.send = callback;
  return ucx_.ucp_tag_send_nbx(endpoint, bytes.data(), bytes.size(), tag, &params);
}

ucs_status_ptr_t UcxWorker::receiveTagged(ucp_tag_t tag, std::span<std::byte> room,
                                          ucp_tag_recv_nbx_callback_t callback, void* argument,
                                          ucs_memory_type_t type) noexcept {
  ucp_request_param_t params = memoryOf(type, argument);
  // Without the flag a message that came before its receive completes at once, and 1.13.1 does not tell its length.
  params.op_attr_mask |= UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  params.cb.recv = callback;
  return ucx_.ucp_tag_recv_nbx(worker_, room.data(), room.size(), tag, ~ucp_tag_t{0}, &params);
}

}  // namespace ulysses
