// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>

#include "base/format.h"
#include "base/status.h"
#include "control_socket.h"
#include "cuda_context.h"
#include "devices.h"
#include "path/ucx/worker.h"
#include "request_pool.h"
#include "spin_lock.h"
#include "wire.h"

namespace ulysses::nccl {

/// One direction between two processes: a communicator of NCCL's net plugins. It has a UCX worker of its own, so that
/// closing it ends all that touches the caller's buffers, and a lost peer concerns nobody else.
///
/// NCCL's threads call in, and the pulse visits; lock_ keeps them apart. UCX's callbacks come inside, under the lock.
class Connection {
 public:
  enum class Visit { Quiet, Moved, Finished };

  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  NcclResult test(Request& request, int* done, int* sizes) noexcept;
  /// The caller takes memory back. NCCL does so with messages under way only when it gives the connection up; that is
  /// done then, as nothing may touch the memory after this call.
  void release(const void* data, size_t bytes) noexcept;
  /// Memory of a GPU is used from now on, by the CUDA context of this thread.
  void useCuda() noexcept;
  /// What the pulse does: moves on what NCCL does not at the moment, looks after the peer. Finished: it may be
  /// forgotten.
  Visit visit() noexcept;
  /// Frees everything and lets go of the caller's buffers, whatever is under way and whatever the peer does. True: it
  /// lingers until the peer has what was sent, and visits go on.
  virtual bool close() noexcept = 0;

  const std::shared_ptr<UcxContext>& transport() const noexcept { return transport_; }
  /// The NCCL_PTR_* that its device takes.
  int pointers() const noexcept { return pointers_; }

 protected:
  Connection(ControlSocket control, const NetDevice& device);

  /// What came from the peer; under the lock.
  virtual void onRecords() = 0;
  /// Looks at the peer's end; under the lock. True: a connection that lingers is over.
  virtual bool look() = 0;
  /// Ends all that touches the caller's memory, and tells the peer; under the lock, with a worker.
  virtual void shutDown() noexcept = 0;

  /// The connection is over: requests that are not complete end with this. The first reason counts.
  template <typename... Args>
  void fail(Result why, fmt::format_string<Args...> text, Args&&... args) noexcept {
    if (failure_ != Result::Success) return;
    failure_ = why;
    tellFailure(text, fmt::make_format_args(args...));
  }
  /// What must follow wherever fail() may have been called, outside of UCX: after the caller has heard of a failure it
  /// may free its memory, which no late message may write to.
  void shutDownIfFailed() noexcept {
    if (failure_ != Result::Success && worker_) shutDown();
  }
  /// A request that tells the failure when it is tested; null: later.
  Request* failedRequest() { return pool_.take(this, 1); }
  /// Takes what the peer said; under the lock.
  bool readControl();
  void progressAll() noexcept;

  SpinLock lock_;
  ControlSocket control_;
  const std::shared_ptr<UcxContext> transport_;
  const int pointers_;
  std::unique_ptr<UcxWorker> worker_;
  RequestPool pool_;
  Result failure_ = Result::Success;
  int underWay_ = 0;      // messages that UCX has not completed
  uint64_t touched_ = 0;  // calls of NCCL
  CudaContext cuda_;      // of NCCL's memory of a GPU; null: none yet

 private:
  bool isUsed(const void* data, size_t bytes) noexcept;
  void tellFailure(fmt::string_view text, fmt::format_args arguments) noexcept;
  Visit visitLocked();

  uint64_t seen_ = 0;  // touched_ at the last visit
  int missed_ = 0;     // visits in a row that found it in use; the pulse's own
};

}  // namespace ulysses::nccl
