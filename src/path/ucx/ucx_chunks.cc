// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The chunks of a path over UCX.
#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "path/ucx/ucx_path.h"

namespace ulysses {

int64_t UcxPath::chunkBytesFor(int64_t stagingBytes, int nRanks) {
  constexpr int64_t kSmallest = 4096, kLargest = 256 << 10, kAlign = 64;
  return std::clamp(stagingBytes / std::max(1, nRanks - 1) / kAlign * kAlign, kSmallest, kLargest);
}

void UcxPath::Window::allocate(size_t wanted) {
  void* memory = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) raise(Result::OutOfMemory, "no memory for {} bytes of chunks to other hosts", wanted);
  base = static_cast<std::byte*>(memory);
  bytes = wanted;
}

std::span<std::byte> UcxPath::chunk(const Window& window, const UcxPeer& peer, uint64_t index) const noexcept {
  const auto bytes = static_cast<size_t>(options_.chunkBytes);
  const size_t place = static_cast<size_t>(peer.rank) * kUcxChunks + index % kUcxChunks;
  return {window.base + place * bytes, bytes};
}

void UcxPath::prepareStaging() {
  if (sendWindow_.base) return;
  sendWindow_.allocate(peers_.size() * kUcxChunks * static_cast<size_t>(options_.chunkBytes));
  log::info(log::Subsystem::Path, "rank {}: {} chunks of {} bytes to each rank of another host", options_.rank,
            kUcxChunks, options_.chunkBytes);
}

void UcxPath::requireChunks(int from) {
  UcxPeer& peer = at(from);
  if (peer.listens) return;
  if (!receiveWindow_.base)
    receiveWindow_.allocate(peers_.size() * kUcxChunks * static_cast<size_t>(options_.chunkBytes));
  peer.listens = true;
  for (uint64_t index = 0; index < kUcxChunks; ++index) listen(peer, index);
}

/// Posts the receive of a chunk. Those of one peer have one tag, so they are filled in the order they were posted.
void UcxPath::listen(UcxPeer& peer, uint64_t index) noexcept {
  UcxPeer::ReceiveChunk& receive = peer.receives[index % kUcxChunks];
  receive.arrived = false;
  const ucs_status_ptr_t request =
      worker_->receiveTagged(static_cast<ucp_tag_t>(peer.rank), chunk(receiveWindow_, peer, index), onChunk, &receive);
  peer.failIf(request);
  receive.request = UCS_PTR_IS_PTR(request) && !receive.arrived ? request : nullptr;
}

void UcxPath::onChunk(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info, void* chunk) noexcept {
  auto& receive = *static_cast<UcxPeer::ReceiveChunk*>(chunk);
  UcxLibrary::get().ucp_request_free(request);
  receive.request = nullptr;
  if (status == UCS_ERR_CANCELED) return;
  receive.peer->fail(status);
  receive.bytes = info->length;
  receive.arrived = true;
}

std::span<std::byte> UcxPath::chunkTo(int to) noexcept {
  const UcxPeer& peer = at(to);
  return hasRoom(peer) ? chunk(sendWindow_, peer, peer.sent) : std::span<std::byte>();
}

bool UcxPath::hasRoom(const UcxPeer& peer) const noexcept {
  const auto isFree = [&] {
    return !peer.sends[peer.sent % kUcxChunks].busy && peer.sent - peer.credited < kUcxChunks;
  };
  return isFree() || (progress() && isFree());
}

void UcxPath::sendChunk(int to, int64_t bytes) noexcept {
  UcxPeer& peer = at(to);
  sendNext(peer, chunk(sendWindow_, peer, peer.sent).first(static_cast<size_t>(bytes)), false);
}

bool UcxPath::sendFrom(int to, std::span<const std::byte> bytes) noexcept {
  UcxPeer& peer = at(to);
  if (!hasRoom(peer)) return false;
  sendNext(peer, bytes, true);
  return true;
}

void UcxPath::sendNext(UcxPeer& peer, std::span<const std::byte> bytes, bool isTensor) noexcept {
  UcxPeer::SendChunk& send = peer.sends[peer.sent % kUcxChunks];
  ++peer.sent;
  if (!isOpen(peer)) return;
  const ucs_status_ptr_t request =
      worker_->sendTagged(peer.endpoint, static_cast<ucp_tag_t>(options_.rank), bytes, onChunkSent, &send);
  send.busy = UCS_PTR_IS_PTR(request);
  send.isTensor = isTensor;
  peer.underWay += send.busy;
  peer.failIf(request);
}

void UcxPath::onChunkSent(void* request, ucs_status_t status, void* chunk) noexcept {
  auto& send = *static_cast<UcxPeer::SendChunk*>(chunk);
  UcxLibrary::get().ucp_request_free(request);
  send.peer->fail(status);
  send.busy = false;
  --send.peer->underWay;
}

/// What a peer does not take is taken back by ending the connection. UCX reads memory in its progress only, so if it
/// still held some, it makes none any more.
void UcxPath::letGo() noexcept {
  constexpr int64_t kMomentMs = 100;
  const auto reads = [](const auto& peer) { return peer->readsTensors(); };
  const Deadline deadline = Deadline::inMs(kMomentMs);
  while (std::ranges::any_of(peers_, reads) && !deadline.passed()) progress();
  for (const auto& peer : peers_) {
    if (!peer->readsTensors()) continue;
    peer->fail(UCS_ERR_TIMED_OUT);
    worker_->closeNow({&peer->endpoint, 1});
    peer->endpoint = nullptr;
    isStill_ |= peer->readsTensors();
  }
}

std::span<const std::byte> UcxPath::chunkFrom(int from) noexcept {
  const UcxPeer& peer = at(from);
  const UcxPeer::ReceiveChunk& receive = peer.receives[peer.taken % kUcxChunks];
  if (!receive.arrived && (!progress() || !receive.arrived)) return {};
  return chunk(receiveWindow_, peer, peer.taken).first(receive.bytes);
}

void UcxPath::releaseChunk(int from) noexcept {
  UcxPeer& peer = at(from);
  listen(peer, peer.taken++);
  if (peer.taken - peer.takenTold >= kUcxChunks / 2) tellTaken(peer);
}

}  // namespace ulysses
