// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/shm/shm_path.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/fault_point.h"
#include "base/log.h"
#include "path/shm/fd_message.h"

namespace ulysses {
namespace {

constexpr int64_t kChunkAlign = 64;
constexpr int64_t kSmallestChunk = 4096;

}  // namespace

int64_t ShmPath::chunkBytesFor(int64_t stagingBytes, int nSeats) {
  const int64_t pairs = std::max(1, nSeats - 1) * static_cast<int64_t>(kHalves);
  return std::max(kSmallestChunk, stagingBytes / pairs / kChunkAlign * kChunkAlign);
}

ShmPath::ShmPath(std::shared_ptr<Mapping> boardMemory, int rank, std::vector<std::unique_ptr<ShmPeer>> peers,
                 std::span<const int> ranks)
    : BoardPath(std::move(boardMemory), rank, ranks),
      peers_(std::move(peers)),
      chunkBytes_(chunkBytesFor(board().stagingBytes(), board().nSeats())) {}

ShmPath::~ShmPath() {
  board().departed(ownSeat()).store(1, std::memory_order_release);  // before our sockets close
  if (window_) SegmentRegistry::instance().release(window_->base, true);
}

std::string ShmPath::reasonFor(int to) const {
  if (peer(to).sameProcess()) return "same process: plain pointers";
  return "same host: registered tensors are read in place, private ones through a window";
}

void ShmPath::refreshSnapshot() {
  const uint64_t epoch = SegmentRegistry::instance().epoch();
  if (epoch == snapshotEpoch_) return;
  snapshot_ = SegmentRegistry::instance().snapshot();
  snapshotEpoch_ = epoch;
}

TensorRef ShmPath::locate(const void* pointer, const Extent& extent) {
  refreshSnapshot();
  // Room for what an operation may announce: publish must not allocate.
  if (announced_.capacity() - announced_.size() < kMaxTensors) announced_.reserve(2 * announced_.size() + kMaxTensors);
  TensorRef ref{.segment = 0, .offset = 0, .address = reinterpret_cast<uint64_t>(pointer)};
  const std::byte* begin = static_cast<const std::byte*>(pointer) + extent.begin;
  const auto after = std::upper_bound(snapshot_.begin(), snapshot_.end(), begin,
                                      [](const std::byte* at, const auto& segment) { return at < segment->base; });
  if (after == snapshot_.begin()) return ref;
  const Segment& segment = **std::prev(after);
  const auto bytes = static_cast<size_t>(extent.end - extent.begin);
  const auto into = static_cast<size_t>(begin - segment.base);
  if (bytes > segment.bytes || into > segment.bytes - bytes) return ref;
  ref.segment = segment.id;
  ref.offset = static_cast<uint64_t>(static_cast<const std::byte*>(pointer) - segment.base);
  return ref;
}

bool ShmPath::mappable(int to, const TensorRef& ref) const noexcept {
  return ref.segment != 0 || peer(to).sameProcess();
}

const std::byte* ShmPath::map(int from, const TensorRef& ref, const Extent& extent) {
  if (peer(from).sameProcess()) return reinterpret_cast<const std::byte*>(ref.address);
  return peer(from).resolve(ref, extent);
}

/// While a peer's socket is full this rank empties its own: two ranks that both tell much must not wait for each other.
Result ShmPath::broadcast(const FdMessage& message, int fd, Deadline deadline) noexcept {
  for (const auto& entry : peers_) {
    if (!entry) continue;
    for (;;) {
      const Result sent = trySendMessage(entry->socket(), message, fd);
      if (sent == Result::Success) break;
      if (sent != Result::InProgress) return sent;
      if (deadline.passed()) return Result::Timeout;
      service();
      pollfd room{entry->socket(), POLLOUT, 0};
      poll(&room, 1, 1);
    }
  }
  return Result::Success;
}

Result ShmPath::tellOfFreed(Deadline deadline, uint32_t& messages) noexcept {
  if (announcedEpoch_ == snapshotEpoch_) return Result::Success;
  announcedEpoch_ = snapshotEpoch_;
  for (size_t i = 0; i < announced_.size();) {
    if (!announced_[i]->freed.load(std::memory_order_acquire)) {
      ++i;
      continue;
    }
    ++messages;
    const FdMessage drop{.kind = FdMessage::Kind::Drop, .segment = announced_[i]->id};
    if (const Result sent = broadcast(drop, -1, deadline); sent != Result::Success) return sent;
    log::info(log::Subsystem::Path, "rank {}: peers told that segment {} is gone", rank(), announced_[i]->id);
    announced_.erase(announced_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return Result::Success;
}

/// Of segments that this operation refers to and the peers do not know.
Result ShmPath::tellOfUsed(std::span<const TensorRef> refs, Deadline deadline, uint32_t& messages) noexcept {
  for (const TensorRef& ref : refs) {
    const auto hasId = [&](const auto& segment) { return segment->id == ref.segment; };
    if (ref.segment == 0 || std::any_of(announced_.begin(), announced_.end(), hasId)) continue;
    const auto found = std::find_if(snapshot_.begin(), snapshot_.end(), hasId);
    ++messages;
    const FdMessage tell{
        .kind = FdMessage::Kind::Segment, .segment = ref.segment, .bytes = (*found)->bytes, .offset = (*found)->offset};
    if (const Result sent = broadcast(tell, (*found)->fd.get(), deadline); sent != Result::Success) return sent;
    announced_.push_back(*found);
    log::info(log::Subsystem::Path, "rank {}: segment {} of {} bytes announced to {} peers", rank(), ref.segment,
              (*found)->bytes, board().nSeats() - 1);
    faultPoint("op.segment_told");
  }
  return Result::Success;
}

Result ShmPath::sendPassing(Deadline deadline, uint32_t& messages) noexcept {
  const std::vector<PassedFd> all = std::exchange(passing_, {});
  for (const auto& [batch, bytes, fd] : all) {
    ++messages;
    const FdMessage message{.kind = FdMessage::Kind::Passed, .segment = batch, .bytes = bytes};
    if (const Result sent = broadcast(message, fd.get(), deadline); sent != Result::Success) return sent;
  }
  return Result::Success;
}

Result ShmPath::sendControl(std::span<const TensorRef> refs, Deadline deadline, uint32_t& messages) noexcept {
  if (const Result told = tellOfFreed(deadline, messages); told != Result::Success) return told;
  if (const Result told = tellOfUsed(refs, deadline, messages); told != Result::Success) return told;
  if (const Result sent = sendPassing(deadline, messages); sent != Result::Success) return sent;
  if (!window_ || windowAnnounced_) return Result::Success;
  windowAnnounced_ = true;
  ++messages;
  return broadcast({.kind = FdMessage::Kind::Window, .segment = window_->id, .bytes = window_->bytes},
                   window_->fd.get(), deadline);
}

void ShmPath::receiveControl(int from, uint32_t messages) noexcept { peer(from).receiveControl(messages); }

std::vector<PassedFd> ShmPath::takePassed(int from, uint64_t batch) { return peer(from).takePassed(batch); }

void ShmPath::prepareStaging() {
  if (window_ || board().nSeats() == 1) return;
  const auto peers = static_cast<size_t>(board().nSeats() - 1);
  const size_t bytes = static_cast<size_t>(chunkBytes_) * kHalves * peers;
  window_ = SegmentRegistry::instance().allocate(bytes);
  log::info(log::Subsystem::Path, "rank {}: staging window of {} bytes, two chunks of {} for each of {} peers", rank(),
            bytes, chunkBytes_, peers);
}

size_t ShmPath::windowOffset(int from, int to, uint64_t half) const noexcept {
  const int seat = seatOf(to);
  const auto place = static_cast<uint64_t>(seat > seatOf(from) ? seat - 1 : seat);  // the sender has none for itself
  return static_cast<size_t>((place * kHalves + half) * static_cast<uint64_t>(chunkBytes_));
}

std::span<std::byte> ShmPath::chunkTo(int to) noexcept {
  const uint64_t sent = board().sent(ownSeat(), seatOf(to)).load(std::memory_order_relaxed);
  if (sent - board().taken(ownSeat(), seatOf(to)).load(std::memory_order_acquire) >= kHalves) return {};
  return {window_->base + windowOffset(rank(), to, sent % kHalves), static_cast<size_t>(chunkBytes_)};
}

void ShmPath::sendChunk(int to, int64_t /*bytes*/) noexcept {
  auto& sent = board().sent(ownSeat(), seatOf(to));
  sent.store(sent.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  board().ring();
}

std::span<const std::byte> ShmPath::chunkFrom(int from) noexcept {
  const uint64_t taken = board().taken(seatOf(from), ownSeat()).load(std::memory_order_relaxed);
  if (board().sent(seatOf(from), ownSeat()).load(std::memory_order_acquire) == taken) return {};
  const Mapping& window = peer(from).window();
  const size_t offset = windowOffset(from, rank(), taken % kHalves);
  if (offset + static_cast<size_t>(chunkBytes_) > window.bytes()) return {};
  return {window.data() + offset, static_cast<size_t>(chunkBytes_)};
}

void ShmPath::releaseChunk(int from) noexcept {
  auto& taken = board().taken(seatOf(from), ownSeat());
  taken.store(taken.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  board().ring();
}

void ShmPath::service() noexcept {
  for (const auto& entry : peers_)
    if (entry) entry->receiveAvailable();
}

std::optional<std::string> ShmPath::lost(int of) {
  const ShmPeer& entry = peer(of);
  if (board().departed(seatOf(of)).load(std::memory_order_acquire))
    return formatText("{} destroyed its communicator", entry.pidText());
  auto end = entry.end();
  // Whoever destroys its communicator says so before it closes its connection: it may have, since we looked.
  if (end && board().departed(seatOf(of)).load(std::memory_order_acquire))
    return formatText("{} destroyed its communicator", entry.pidText());
  return end;
}

std::string ShmPath::describe(int of) const {
  return formatText("{}, {}", peer(of).pidText(), peer(of).sameProcess() ? "this process" : peer(of).state());
}

}  // namespace ulysses
