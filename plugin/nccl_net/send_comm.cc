// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "send_comm.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "errors.h"

namespace ulysses::nccl {
namespace {

/// How long what was sent is kept for a receiver that does not ask for it, after the sender has closed.
constexpr int64_t kLingerMs = 30'000;

}  // namespace

SendComm::SendComm(ControlSocket control, const NetDevice& device, uint64_t token)
    : Connection(std::move(control), device) {
  worker_ = std::make_unique<UcxWorker>(transport_);
  control_.write(Hello{.token = token});
}

SendComm::~SendComm() {
  if (worker_) shutDown();
}

Request* SendComm::isend(const void* data, size_t bytes, int tag, ucs_memory_type_t type) {
  const std::lock_guard lock(lock_);
  ++touched_;
  if (failure_ == Result::Success && !endpoint_) readControl();
  Request* request = nullptr;
  if (failure_ == Result::Success && endpoint_ && mayGo(tag, bytes)) request = post(data, bytes, tag, type);
  shutDownIfFailed();
  return failure_ == Result::Success || request ? request : failedRequest();
}

bool SendComm::mayGo(int tag, size_t bytes) {
  if (nccl::mayGo(ahead_.of(tag), bytes)) return true;
  worker_->progress();
  readControl();
  return nccl::mayGo(ahead_.of(tag), bytes);
}

Request* SendComm::post(const void* data, size_t bytes, int tag, ucs_memory_type_t type) {
  Request* const request = pool_.take(this, 1);
  if (!request) return nullptr;
  Part& part = request->part[0];
  part.data = static_cast<const std::byte*>(data);
  part.bytes = bytes;
  part.tag = tag;
  const auto onEnd = [](void* ucx, ucs_status_t status, void* argument) {
    auto* const sent = static_cast<Part*>(argument);
    auto* const self = static_cast<SendComm*>(sent->request->connection);
    self->worker_->ucx().ucp_request_free(ucx);
    --self->underWay_;
    self->onSent(*sent, status);
  };
  const ucs_status_ptr_t started =
      worker_->sendTagged(endpoint_, static_cast<uint32_t>(tag), {part.data, bytes}, onEnd, &part, type);
  part.isUnderWay = UCS_PTR_IS_PTR(started);
  if (part.isUnderWay)
    ++underWay_;
  else
    onSent(part, UCS_PTR_STATUS(started));
  ++sent_;
  Amount& ahead = ahead_.of(tag);
  ++ahead.messages;
  ahead.bytes += bytes;
  return request;
}

void SendComm::onSent(Part& part, ucs_status_t status) noexcept {
  part.isUnderWay = false;
  --part.request->left;
  if (status == UCS_OK) return;
  part.request->failed = true;
  fail(Result::RemoteLost, "sending {} bytes with tag {} to the peer failed: {}", part.bytes, part.tag,
       worker_->ucx().ucs_status_string(status));
}

void SendComm::onRecords() {
  if (!endpoint_ && !takeReply()) return;
  for (Frame frame; control_.take(frame);) onFrame(frame);
}

bool SendComm::takeReply() {
  Reply reply;
  if (failure_ != Result::Success || !control_.peek(reply)) return false;
  if (reply.magic != kWireMagic || reply.addressBytes == 0 || reply.addressBytes > kMaxAddressBytes) {
    fail(Result::RemoteLost, "the peer is no ulysses plugin of this version: install the same one at all ranks");
    return false;
  }
  if (control_.waiting() < sizeof reply + reply.addressBytes) return false;
  if (control_.waiting() > sizeof reply + reply.addressBytes || control_.ended()) {
    fail(Result::RemoteLost, "the peer closed, or its process ended, before it was connected to");
    return false;
  }
  std::vector<std::byte> address(reply.addressBytes);
  control_.take(reply);
  control_.takeBytes(address);
  open(address);
  return endpoint_ != nullptr;
}

void SendComm::open(std::span<const std::byte> address) {
  const auto onLost = [](void* argument, ucp_ep_h, ucs_status_t status) {
    auto* const self = static_cast<SendComm*>(argument);
    self->fail(Result::RemoteLost, "the connection to a peer was lost: {}",
               self->worker_->ucx().ucs_status_string(status));
  };
  const ucs_status_t status = worker_->open(address, onLost, this, &endpoint_);
  if (status == UCS_OK) {
    // When its peer closes between UCX's connection and the first record on it, UCX 1.13.1 asserts at the next progress
    // (tcp_ep.c:478). The control socket tells first, and a worker that is freed makes none.
    control_.move();
    if (!control_.ended() && control_.waiting() == 0) return;
    worker_.reset();
    endpoint_ = nullptr;
    control_.close();
    return fail(Result::RemoteLost, "the peer closed, or its process ended, while it was connected to");
  }
  endpoint_ = nullptr;
  fail(Result::RemoteLost,
       "UCX finds no way to the peer: {}; its process ended, or both ends have no transport in common (ucx_info -d; "
       "UCX_TLS, UCX_NET_DEVICES)",
       worker_->ucx().ucs_status_string(status));
}

void SendComm::onFrame(const Frame& frame) {
  if (frame.kind == FrameKind::Credit) {
    Amount& ahead = ahead_.of(frame.tag);
    ahead.messages -= std::min(ahead.messages, frame.messages);
    ahead.bytes -= std::min(ahead.bytes, frame.bytes);
  }
  if (frame.kind == FrameKind::Bye) peerClosed_ = true;
  if (frame.kind == FrameKind::Taken) allTaken_ = true;
}

bool SendComm::look() {
  const bool gone = peerClosed_ || control_.ended();
  if (gone && !lingerUntil_)
    fail(Result::RemoteLost, "{}",
         peerClosed_ ? "the peer closed its receiving end" : "the peer's process ended, or its host cannot be reached");
  if (!lingerUntil_ || !(gone || allTaken_ || lingerUntil_->passed() || failure_ != Result::Success)) return false;
  shutDown();
  return true;
}

bool SendComm::close() noexcept {
  const std::lock_guard lock(lock_);
  if (!worker_) return false;
  if (sent_ == 0 || underWay_ > 0) {
    shutDown();
    return false;
  }
  control_.write(Frame{.kind = FrameKind::Bye, .messages = sent_});
  lingerUntil_ = Deadline::inMs(kLingerMs);
  return true;
}

void SendComm::shutDown() noexcept {
  if (!lingerUntil_)
    control_.write(Frame{.kind = underWay_ > 0 ? FrameKind::Abort : FrameKind::Bye, .messages = sent_});
  if (endpoint_) worker_->closeNow(std::span(&endpoint_, 1));
  endpoint_ = nullptr;
  worker_.reset();
  control_.close();
}

}  // namespace ulysses::nccl
