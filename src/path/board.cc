// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/board.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <climits>
#include <new>

#include "base/text.h"

namespace ulysses {
namespace {

constexpr uint64_t kMagic = 0x31647261'6f62796cULL;

enum CauseState : uint32_t { kNone = 0, kWriting, kWritten };

}  // namespace

int64_t Board::lineCount(int nSeats) { return int64_t{nSeats} * kPerSeat + 2 * int64_t{nSeats} * nSeats; }

struct Board::Header {
  uint64_t magic;
  uint32_t wireVersion;
  int32_t nRanks, nSeats;
  int64_t stagingBytes;
  int32_t verify;
  alignas(64) std::atomic<uint32_t> sleepers;
  alignas(64) std::atomic<uint32_t> causeState;
  Cause cause;
};

size_t Board::slotBytes(const Options& options) {
  const size_t perRank = (2 + (options.verify ? kSeals : 0)) * sizeof(int64_t);
  const size_t bytes = sizeof(Slot) + static_cast<size_t>(options.nRanks) * perRank;
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}

size_t Board::bytesFor(const Options& options) {
  const size_t bytes =
      sizeof(Header) + static_cast<size_t>(lineCount(options.nSeats)) * kLineBytes +
      static_cast<size_t>(options.nSeats) * (kMaxOutstanding * slotBytes(options) + sizeof(Wish) + sizeof(Verdict));
  return (bytes + 4095) / 4096 * 4096;
}

void Board::format(std::byte* data, const Options& options) {
  std::memset(data, 0, bytesFor(options));
  Header* header = new (data) Header{};
  header->wireVersion = kWireVersion;
  header->nRanks = options.nRanks;
  header->nSeats = options.nSeats;
  header->stagingBytes = options.stagingBytes;
  header->verify = options.verify;
  header->magic = kMagic;
}

Board::Board(std::byte* data, size_t bytes) : data_(data), nRanks_(0), nSeats_(0), slotBytes_(0) {
  const Header& h = header();
  const Options options{h.nRanks, h.stagingBytes, h.verify != 0, h.nSeats};
  if (bytes < sizeof(Header) || h.magic != kMagic || h.wireVersion != kWireVersion || h.nSeats < 1 ||
      h.nRanks < h.nSeats || bytesFor(options) > bytes)
    raise(Result::InternalError, "board of {} bytes is not of this library's version", bytes);
  nRanks_ = h.nRanks;
  nSeats_ = h.nSeats;
  verifies_ = options.verify;
  slotBytes_ = slotBytes(options);
  lines_ = data_ + sizeof(Header);
  slots_ = lines_ + static_cast<size_t>(lineCount(nSeats_)) * kLineBytes;
  wishes_ = slots_ + static_cast<size_t>(nSeats_) * kMaxOutstanding * slotBytes_;
  sleepers_ = &header().sleepers;
  causeState_ = &header().causeState;
}

int64_t Board::stagingBytes() const noexcept { return header().stagingBytes; }

Board::Wish& Board::wish(int seat) const noexcept {
  return *reinterpret_cast<Wish*>(wishes_ + static_cast<size_t>(seat) * sizeof(Wish));
}

Board::Verdict& Board::verdict(int seat) const noexcept {
  std::byte* verdicts = wishes_ + static_cast<size_t>(nSeats_) * sizeof(Wish);
  return *reinterpret_cast<Verdict*>(verdicts + static_cast<size_t>(seat) * sizeof(Verdict));
}

std::atomic<uint64_t>& Board::sent(int from, int to) const noexcept {
  return line(nSeats_ * kPerSeat + 2 * (int64_t{from} * nSeats_ + to)).value;
}

std::atomic<uint64_t>& Board::taken(int from, int to) const noexcept {
  return line(nSeats_ * kPerSeat + 2 * (int64_t{from} * nSeats_ + to) + 1).value;
}

std::atomic<uint32_t>& Board::departed(int seat) const noexcept {
  return reinterpret_cast<std::atomic<uint32_t>&>(line(seat * kPerSeat + kDeparted));
}

std::atomic<uint32_t>& Board::doorbell(int seat) const noexcept {
  return reinterpret_cast<std::atomic<uint32_t>&>(line(seat * kPerSeat + kDoorbell));
}

void Board::wakeAll() const noexcept {
  for (int seat = 0; seat < nSeats_; ++seat) {
    doorbell(seat).fetch_add(1, std::memory_order_release);
    syscall(SYS_futex, &doorbell(seat), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
}

/// A wake-up can be missed (the publisher's look at `sleepers` is not ordered with its flag, so that publishing stays
/// free of fences); the short time-out bounds what that costs.
void Board::sleep(int seat, int64_t ns) const noexcept {
  const uint32_t seen = doorbell(seat).load(std::memory_order_acquire);
  sleepers_->fetch_add(1);
  const timespec time{0, ns};
  syscall(SYS_futex, &doorbell(seat), FUTEX_WAIT, seen, &time, nullptr, 0);
  sleepers_->fetch_sub(1);
}

void Board::revoke(const Cause& cause) const noexcept {
  uint32_t expected = kNone;
  if (!header().causeState.compare_exchange_strong(expected, kWriting)) return;
  header().cause = cause;
  header().causeState.store(kWritten);
  wakeAll();
}

Cause Board::cause() const noexcept {
  // The writer may have been killed between its two stores: do not wait for it for long.
  for (int i = 0; i < 1000 && header().causeState.load(std::memory_order_acquire) == kWriting; ++i) sched_yield();
  if (header().causeState.load(std::memory_order_acquire) == kWritten) return header().cause;
  Cause unknown{.result = static_cast<int32_t>(Result::RemoteLost)};
  copyText(unknown.text, "a peer died while it reported an error");
  return unknown;
}

}  // namespace ulysses
