// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "shared.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <new>
#include <utility>

#include "error.h"

namespace ulysses::perf {
namespace {

static_assert(std::atomic<uint32_t>::is_always_lock_free, "shared between processes");

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

constexpr auto kHeaderBytes = size_t{1024};

// Offsets of the parts, in the order they lie in the area.
struct Parts {
  Parts(int nRanks, int maxIterations) {
    const auto ranks = static_cast<size_t>(nRanks);
    flags = kHeaderBytes;
    slots = flags + kSides * ranks * sizeof(Flag);
    contenders = slots + kSides * ranks * sizeof(RankSlot);
    results = aligned(contenders + kMaxContenders * sizeof(ContenderSlot));
    times = aligned(results + kMaxContenders * ranks * sizeof(RankResult));
    end = times + kMaxContenders * ranks * static_cast<size_t>(maxIterations) * sizeof(double);
  }
  size_t flags, slots, contenders, results, times, end;
};

long futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  return syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

// Of this process. The text is written once, before the flag.
std::atomic<bool> abandoned{false};
std::string abandonedReason;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

const char* phaseName(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kJoining:
      return "joining the communicator";
    case Phase::kAllocating:
      return "allocating and filling tensors";
    case Phase::kVerifying:
      return "verifying";
    case Phase::kWarming:
      return "warming up";
    case Phase::kTiming:
      return "timing";
    case Phase::kWaiting:
      return "waiting for its turn";
    case Phase::kEnding:
      return "ending";
  }
  return "?";
}

SharedArea::SharedArea(int fd, size_t bytes) : fd_(fd), bytes_(bytes) {
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) throwErrno(fmt::format("mmap of {} bytes of shared memory", bytes));
  base_ = static_cast<std::byte*>(base);
  header_ = reinterpret_cast<Header*>(base_);
}

SharedArea SharedArea::create(int nRanks, int maxIterations) {
  static_assert(sizeof(Header) <= kHeaderBytes);
  const Parts parts(nRanks, maxIterations);
  const int fd = memfd_create("ulysses_perf", MFD_CLOEXEC);
  if (fd < 0) throwErrno("memfd_create");
  if (posix_fallocate(fd, 0, static_cast<off_t>(parts.end)) != 0) throwErrno("posix_fallocate of shared memory");
  SharedArea area(fd, parts.end);
  auto* header = new (area.base_) Header{};
  header->nRanks = nRanks;
  header->maxIterations = maxIterations;
  header->bytes = parts.end;
  if (getrandom(&header->mark, sizeof header->mark, 0) != sizeof header->mark) throwErrno("getrandom");
  new (area.base_ + parts.flags) Flag[static_cast<size_t>(kSides * nRanks)];
  new (area.base_ + parts.slots) RankSlot[static_cast<size_t>(kSides * nRanks)];
  new (area.base_ + parts.contenders) ContenderSlot[kMaxContenders];
  return area;
}

SharedArea SharedArea::attach(const std::string& path) {
  struct stat status {};  // first: on another machine it may be anything
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < ssize_t{kHeaderBytes})
    throw RunError(path + " is not of ulysses_perf");
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) throwErrno("open of " + path);
  SharedArea area(fd, static_cast<size_t>(status.st_size));
  if (area.header_->bytes != area.bytes_) throw RunError(path + " is not of ulysses_perf");
  return area;
}

SharedArea::SharedArea(SharedArea&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      bytes_(other.bytes_),
      header_(other.header_),
      base_(other.base_),
      meeting_(std::move(other.meeting_)) {}

SharedArea::~SharedArea() {
  if (fd_ < 0) return;
  munmap(base_, bytes_);
  close(fd_);
}

std::string SharedArea::path() const { return fmt::format("/proc/{}/fd/{}", getpid(), fd_); }

RankSlot& SharedArea::slot(Side side, int rank) const {
  const Parts parts(header_->nRanks, header_->maxIterations);
  return reinterpret_cast<RankSlot*>(base_ + parts.slots)[static_cast<int>(side) * header_->nRanks + rank];
}

Flag* SharedArea::barrierFlags(Side side) const {
  const Parts parts(header_->nRanks, header_->maxIterations);
  return reinterpret_cast<Flag*>(base_ + parts.flags) + static_cast<int>(side) * header_->nRanks;
}

ContenderSlot& SharedArea::contender(int index) const {
  return reinterpret_cast<ContenderSlot*>(base_ + Parts(header_->nRanks, header_->maxIterations).contenders)[index];
}

RankResult& SharedArea::result(int contender, int rank) const {
  const Parts parts(header_->nRanks, header_->maxIterations);
  return reinterpret_cast<RankResult*>(base_ + parts.results)[contender * header_->nRanks + rank];
}

double* SharedArea::timesUs(int contender, int rank) const {
  const Parts parts(header_->nRanks, header_->maxIterations);
  const ptrdiff_t row = static_cast<ptrdiff_t>(contender) * header_->nRanks + rank;
  return reinterpret_cast<double*>(base_ + parts.times) + row * header_->maxIterations;
}

void SharedArea::reportError(Side side, int rank, std::string_view text) const {
  char* destination = slot(side, rank).error;
  const size_t length = std::min(text.size(), sizeof(RankSlot::error) - 1);
  std::memcpy(destination, text.data(), length);
  destination[length] = '\0';
}

void abandonWaits(const std::string& reason) {
  if (abandoned.load()) return;
  abandonedReason = reason;
  abandoned.store(true);
}

void wakeAll(const SharedArea& area) {
  for (std::atomic<uint32_t>* counter : {&area.started(), &area.turn(), &area.shown()})
    futex(*counter, FUTEX_WAKE, INT_MAX);
}

void waitUntilAtLeast(std::atomic<uint32_t>& counter, uint32_t wanted) {
  for (uint32_t seen = counter.load(); seen < wanted; seen = counter.load()) {
    // Looked at again: the peer that is gone may have counted before it went.
    if (abandoned.load() && counter.load() < wanted) throw Abandoned(abandonedReason);
    futex(counter, FUTEX_WAIT, seen);
  }
}

void storeAndWake(std::atomic<uint32_t>& counter, uint32_t value) {
  counter.store(value);
  futex(counter, FUTEX_WAKE, INT_MAX);
}

// With a core for each rank nobody yields: whoever comes back late from a yield would be timed as slow.
Barrier::Barrier(const SharedArea& area, Side side, int rank)
    : meeting_(area.meeting()),
      flags_(area.barrierFlags(side)),
      nRanks_(area.nRanks()),
      rank_(rank),
      pauses_(nRanks_ <= sysconf(_SC_NPROCESSORS_ONLN) ? 200'000 : 20) {}

void Barrier::wait() {
  if (meeting_) return meeting_();
  ++epoch_;
  // Release: what this rank wrote before the barrier is visible to whoever sees the flag.
  flags_[rank_].value.store(epoch_, std::memory_order_release);
  for (int i = 1; i < nRanks_; ++i) {
    const std::atomic<uint32_t>& peer = flags_[(rank_ + i) % nRanks_].value;
    int pauses = 0;
    // Signed distance: epochs may wrap around.
    while (static_cast<int32_t>(peer.load(std::memory_order_acquire) - epoch_) < 0) {
      if (pauses < pauses_) {
        ++pauses;
        pause();
      } else {
        // Looked at again: the peer that is gone may have come here before it went.
        if (abandoned.load(std::memory_order_acquire) &&
            static_cast<int32_t>(peer.load(std::memory_order_acquire) - epoch_) < 0)
          throw Abandoned(abandonedReason);
        sched_yield();
      }
    }
  }
}

}  // namespace ulysses::perf
