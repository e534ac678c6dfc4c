// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/shm/segment.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <fstream>

#include "base/fault_point.h"
#include "base/log.h"
#include "path/shm/memfd.h"

namespace ulysses {
namespace {

size_t pageRound(size_t bytes) {
  constexpr size_t kPage = 4096;
  return (bytes + kPage - 1) / kPage * kPage;
}

/// One line of /proc/self/maps.
struct MapsEntry {
  uintptr_t begin, end;
  char access[5];
  unsigned long offset, inode;
};

/// Whether the kernel says that [pointer, pointer + bytes) is a shared mapping of that file from that offset on.
bool isMappingOf(const void* pointer, size_t bytes, const struct stat& file, int64_t offset) {
  uintptr_t at = reinterpret_cast<uintptr_t>(pointer);
  const uintptr_t end = at + bytes;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; at < end && std::getline(maps, line);) {
    MapsEntry e{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx %*x:%*x %lu", &e.begin, &e.end, e.access, &e.offset, &e.inode) != 5)
      continue;
    if (at < e.begin || at >= e.end) continue;
    const uint64_t fileOffset = e.offset + (at - e.begin);
    const uint64_t wanted = static_cast<uint64_t>(offset) + (at - reinterpret_cast<uintptr_t>(pointer));
    if (e.access[3] != 's' || e.inode != file.st_ino || fileOffset != wanted) return false;
    at = e.end;
  }
  return at >= end;
}

}  // namespace

/// A forked child sees the parent's memory but must not free it under the parent: it keeps the mappings and forgets
/// them. (What it forgets is leaked: the parent's shared pointers in it are never released.)
SegmentRegistry::SegmentRegistry() {
  pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                 [] {
                   new std::map(std::move(instance().byBase_));
                   instance().byBase_.clear();
                   instance().epoch_.fetch_add(1);
                   instance().mutex_.unlock();
                 });
}

SegmentRegistry& SegmentRegistry::instance() {
  // Never destroyed: communicators of other threads may still use it while the process exits.
  static SegmentRegistry* registry = new SegmentRegistry;
  return *registry;
}

std::shared_ptr<Segment> SegmentRegistry::add(std::shared_ptr<Segment> segment) {
  const std::lock_guard lock(mutex_);
  if (faultPoint("segment.id")) nextId_ = (uint64_t{1} << 32) - 20;  // fail: as after so many segments
  segment->id = nextId_++;
  const auto after = byBase_.upper_bound(segment->base);
  const bool meetsNext = after != byBase_.end() && after->first < segment->base + segment->bytes;
  const bool meetsPrevious =
      after != byBase_.begin() && segment->base < std::prev(after)->first + std::prev(after)->second->bytes;
  require(!meetsNext && !meetsPrevious,
          "pointer {} size {}: already registered, wholly or in part; deregister that first, or register once",
          address(segment->base), segment->bytes);
  byBase_.emplace(segment->base, segment);
  epoch_.fetch_add(1, std::memory_order_release);
  return segment;
}

std::shared_ptr<Segment> SegmentRegistry::allocate(size_t bytes) {
  require(bytes > 0, "bytes=0: want at least 1");
  require(bytes < (size_t{1} << 62), "bytes={}: too large", bytes);
  auto segment = std::make_shared<Segment>();
  segment->bytes = pageRound(bytes);
  segment->fd = createMemfd("ulysses", segment->bytes);
  segment->owned = Mapping(segment->fd.get(), 0, segment->bytes, PROT_READ | PROT_WRITE);
  segment->base = segment->owned.data();
  segment = add(std::move(segment));
  log::info(log::Subsystem::Memory, "segment {}: {} bytes allocated at {}", segment->id, segment->bytes,
            address(segment->base));
  return segment;
}

std::shared_ptr<Segment> SegmentRegistry::adopt(void* pointer, size_t bytes, int fd, int64_t offset) {
  require(pointer != nullptr, "pointer is NULL");
  require(bytes > 0, "size=0: want at least 1");
  require(offset >= 0 && offset % 4096 == 0, "offset={}: want a non-negative multiple of the page size 4096", offset);
  struct stat file {};
  require(fstat(fd, &file) == 0, "fd={}: {}", fd, std::strerror(errno));
  require(S_ISREG(file.st_mode), "fd={}: not a memfd, POSIX shared memory or regular file", fd);
  require(bytes <= static_cast<size_t>(file.st_size) && static_cast<size_t>(offset) <= file.st_size - bytes,
          "size={} at offset={} is past the end of fd={}, which has {} bytes", bytes, offset, fd, file.st_size);
  require(
      isMappingOf(pointer, bytes, file, offset),
      "pointer={} size={}: not a MAP_SHARED mapping of fd={} from offset={} on; pass what mmap returned for that file "
      "and offset",
      address(pointer), bytes, fd, offset);
  auto segment = std::make_shared<Segment>();
  segment->base = static_cast<std::byte*>(pointer);
  segment->bytes = bytes;
  segment->offset = offset;
  segment->fd = UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!segment->fd) raiseErrno("duplicating fd");
  segment = add(std::move(segment));
  log::info(log::Subsystem::Memory, "segment {}: {} bytes registered at {}, the file from {} on", segment->id, bytes,
            pointer, offset);
  return segment;
}

bool SegmentRegistry::release(const void* base, bool owned) {
  std::shared_ptr<Segment> segment;
  {
    const std::lock_guard lock(mutex_);
    const auto at = byBase_.find(static_cast<const std::byte*>(base));
    if (at == byBase_.end() || (at->second->owned.data() != nullptr) != owned) return false;
    segment = std::move(at->second);
    byBase_.erase(at);
    segment->freed.store(true, std::memory_order_release);
    epoch_.fetch_add(1, std::memory_order_release);
  }
  if (owned) {
    // Peers may keep it mapped until their next operation with us: give the pages back now all the same.
    fallocate(segment->fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(segment->bytes));
    segment->owned = Mapping();
  }
  segment->fd.reset();
  log::info(log::Subsystem::Memory, "segment {}: {}, {} bytes", segment->id, owned ? "freed" : "deregistered",
            segment->bytes);
  return true;
}

std::shared_ptr<Segment> SegmentRegistry::find(const void* begin, size_t bytes) {
  const auto* at = static_cast<const std::byte*>(begin);
  const std::lock_guard lock(mutex_);
  auto after = byBase_.upper_bound(at);
  if (after == byBase_.begin()) return nullptr;
  const std::shared_ptr<Segment>& segment = std::prev(after)->second;
  return at + bytes <= segment->base + segment->bytes ? segment : nullptr;
}

std::vector<std::shared_ptr<Segment>> SegmentRegistry::snapshot() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Segment>> segments;
  segments.reserve(byBase_.size());
  for (const auto& [base, segment] : byBase_) segments.push_back(segment);
  return segments;
}

}  // namespace ulysses
