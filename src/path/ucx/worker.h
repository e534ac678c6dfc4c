// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "path/ucx/library.h"

namespace ulysses {

/// UCX's devices and transports, opened.
class UcxContext {
 public:
  /// The one of this process that the workers of all communicators with these devices share.
  static std::shared_ptr<UcxContext> shared(const std::string& netDevices = {});
  /// `netDevices`: the only network devices it uses, "mlx5_0:1,eth0"; null: those that UCX_NET_DEVICES allows. Names
  /// that UCX does not know (it may be built without their transports) are passed over without a warning.
  explicit UcxContext(const char* netDevices = nullptr);
  ~UcxContext();
  UcxContext(const UcxContext&) = delete;
  UcxContext& operator=(const UcxContext&) = delete;
  ucp_context_h get() const noexcept { return context_; }
  /// Whether memory that is sent must be known to a device first, which costs where it is not always the same.
  static bool registersMemory();
  /// The memory that it can move, a bit for each ucs_memory_type_t: more than the host's only in builds of UCX with the
  /// device's modules, and where UCX_TLS leaves them in.
  uint64_t memoryTypes() const;

 private:
  const UcxLibrary& ucx_;
  ucp_context_h context_ = nullptr;
};

/// One UCX worker: where messages come in and endpoints start. One thread at a time, any thread. Throws Error with
/// UCX's words when something cannot be had.
class UcxWorker {
 public:
  explicit UcxWorker(std::shared_ptr<UcxContext> context = UcxContext::shared());
  ~UcxWorker();
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;

  const UcxLibrary& ucx() const noexcept { return ucx_; }
  /// Where peers reach this worker.
  std::vector<std::byte> address() const;
  /// Takes in what came and moves on what goes out; whether anything happened. Calls callbacks.
  bool progress() noexcept { return ucx_.ucp_worker_progress(worker_) != 0; }
  void onMessage(unsigned id, ucp_am_recv_callback_t callback, void* argument);

  /// Opens an endpoint in peer-error mode; `onFailure` is called with `argument` when the peer is lost. A status other
  /// than UCS_OK: none was opened.
  ucs_status_t open(std::span<const std::byte> address, ucp_err_handler_cb_t onFailure, void* argument,
                    ucp_ep_h* endpoint) noexcept;
  /// Lets the endpoints' unsent messages go, for a moment at most, and closes them whatever their peers do.
  void close(std::span<const ucp_ep_h> endpoints) noexcept;
  /// Closes them now: callbacks of what is unsent say so before it returns.
  void closeNow(std::span<const ucp_ep_h> endpoints) noexcept;
  /// A request that is complete when all that the endpoint sent has left this worker; null when it has, or an error.
  ucs_status_ptr_t flush(ucp_ep_h endpoint) noexcept;

  ucs_status_ptr_t send(ucp_ep_h endpoint, unsigned messageId, std::span<const std::byte> message,
                        ucp_send_nbx_callback_t callback, void* argument) noexcept;
  ucs_status_ptr_t sendTagged(ucp_ep_h endpoint, ucp_tag_t tag, std::span<const std::byte> bytes,
                              ucp_send_nbx_callback_t callback, void* argument,
                              ucs_memory_type_t type = UCS_MEMORY_TYPE_HOST) noexcept;
  /// Calls back always, in this call or later.
  ucs_status_ptr_t receiveTagged(ucp_tag_t tag, std::span<std::byte> room, ucp_tag_recv_nbx_callback_t callback,
                                 void* argument, ucs_memory_type_t type = UCS_MEMORY_TYPE_HOST) noexcept;
  void cancel(void* request) noexcept { ucx_.ucp_request_cancel(worker_, request); }

 private:
  void finish(std::vector<void*>& requests, Deadline deadline) noexcept;

  const UcxLibrary& ucx_;
  std::shared_ptr<UcxContext> context_;
  ucp_worker_h worker_ = nullptr;
};

}  // namespace ulysses
