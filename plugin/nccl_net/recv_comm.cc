// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "recv_comm.h"

#include <mutex>
#include <utility>

#include "errors.h"
#include "registration.h"

namespace ulysses::nccl {
namespace {

/// How long nothing may come of what a peer sent that closed and ended.
constexpr int64_t kRestMs = 2'000;

}  // namespace

RecvComm::RecvComm(ControlSocket control, const NetDevice& device) : Connection(std::move(control), device) {
  worker_ = std::make_unique<UcxWorker>(transport_);
  const std::vector<std::byte> address = worker_->address();
  if (address.size() > kMaxAddressBytes)
    raise(Result::SystemError, "UCX's address has {} bytes, want 1..{}: allow fewer devices (UCX_NET_DEVICES)",
          address.size(), kMaxAddressBytes);
  control_.write(Reply{.addressBytes = static_cast<uint32_t>(address.size())});
  control_.writeBytes(address);
}

RecvComm::~RecvComm() {
  if (worker_) shutDown();
}

Request* RecvComm::irecv(int n, void* const* data, const size_t* sizes, const int* tags, void* const* mhandles) {
  require(n >= 1 && n <= kMaxReceives, "irecv of {} messages: want 1..{}", n, kMaxReceives);
  const std::lock_guard lock(lock_);
  ++touched_;
  if (failure_ != Result::Success) return failedRequest();
  Request* const request = pool_.take(this, n);
  for (int i = 0; request && i < n; ++i) {
    Part& part = request->part[static_cast<size_t>(i)];
    part.tag = tags[i];
    post(part, data[i], sizes[i], typeOf(mhandles, i));
  }
  shutDownIfFailed();
  return request;
}

void RecvComm::post(Part& part, void* data, size_t room, ucs_memory_type_t type) {
  const auto onEnd = [](void* ucx, ucs_status_t status, const ucp_tag_recv_info_t* info, void* argument) {
    auto* const ended = static_cast<Part*>(argument);
    auto* const self = static_cast<RecvComm*>(ended->request->connection);
    self->worker_->ucx().ucp_request_free(ucx);
    self->onReceived(*ended, status, status == UCS_OK ? info->length : 0);
  };
  part.data = static_cast<const std::byte*>(data);
  part.bytes = room;
  part.isUnderWay = true;
  ++underWay_;
  const uint64_t tag = static_cast<uint32_t>(part.tag);
  const ucs_status_ptr_t started =
      worker_->receiveTagged(tag, {static_cast<std::byte*>(data), room}, onEnd, &part, type);
  if (UCS_PTR_IS_ERR(started))
    onReceived(part, UCS_PTR_STATUS(started), 0);
  else if (part.isUnderWay)  // else it was called back already, and UCX's request is gone
    part.ucx = started;
}

void RecvComm::onReceived(Part& part, ucs_status_t status, size_t bytes) {
  part.isUnderWay = false;
  part.ucx = nullptr;
  --underWay_;
  --part.request->left;
  if (status == UCS_OK) {
    part.bytes = bytes;
    ++arrived_;
    credit(part.tag, bytes);
    return;
  }
  part.request->failed = true;
  if (status == UCS_ERR_MESSAGE_TRUNCATED)
    fail(Result::InternalError, "the peer sent more than the {} bytes that were asked for with tag {}", part.bytes,
         part.tag);
  else
    fail(Result::RemoteLost, "receiving with tag {} failed: {}", part.tag, worker_->ucx().ucs_status_string(status));
}

void RecvComm::credit(int tag, size_t bytes) {
  Amount& taken = taken_.of(tag);
  ++taken.messages;
  taken.bytes += bytes;
  if (!isWorthReporting(taken)) return;
  control_.write(Frame{.kind = FrameKind::Credit, .tag = tag, .messages = taken.messages, .bytes = taken.bytes});
  taken = {};
}

void RecvComm::onRecords() {
  for (Frame frame; control_.take(frame);) {
    if (frame.kind == FrameKind::Abort) aborted_ = true;
    if (frame.kind == FrameKind::Bye) sent_ = frame.messages;
  }
}

bool RecvComm::look() {
  if (sent_ && arrived_ == *sent_ && !std::exchange(thanked_, true)) control_.write(Frame{.kind = FrameKind::Taken});
  if (failure_ != Result::Success || !(sent_ || aborted_ || control_.ended())) return false;
  if (aborted_) {
    fail(Result::RemoteLost, "the peer closed its sending end while it sent");
  } else if (!sent_) {
    progressAll();  // what it sent before still counts
    fail(Result::RemoteLost, "the peer's process ended, or its host cannot be reached");
  } else if (arrived_ == *sent_) {
    if (underWay_ > 0) fail(Result::RemoteLost, "the peer closed its sending end; {} receives wait in vain", underWay_);
  } else if (control_.ended()) {
    lookForTheRest();
  }
  return false;
}

void RecvComm::lookForTheRest() {
  if (!restUntil_ || arrived_ != arrivedThen_) {
    restUntil_ = Deadline::inMs(kRestMs);
    arrivedThen_ = arrived_;
  } else if (restUntil_->passed() && underWay_ > 0) {
    fail(Result::RemoteLost, "the peer closed and ended; {} of its {} messages never came", *sent_ - arrived_, *sent_);
  }
}

bool RecvComm::close() noexcept {
  const std::lock_guard lock(lock_);
  if (worker_) shutDown();
  return false;
}

void RecvComm::shutDown() noexcept {
  pool_.forEach([&](Request& request) {
    for (Part& part : request.part)
      if (part.ucx) worker_->cancel(part.ucx);
  });
  control_.write(Frame{.kind = FrameKind::Bye});  // before UCX's end can show, see SendComm::open
  worker_.reset();  // without progress: a message that comes in parts has no more room to go to
  control_.close();
}

}  // namespace ulysses::nccl
