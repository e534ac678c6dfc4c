// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "device_arena.h"

#include <utility>

namespace ulysses::perf {

std::vector<int64_t> DeviceArena::offsetsOf(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> offsets;
  int64_t next = kGuardBytes;
  for (const int64_t size : sizes) {
    offsets.push_back(next);
    next += Buffer::storageBytes(size);
  }
  return offsets;
}

DeviceArena::DeviceArena(Device& device, std::vector<int64_t> sizes)
    : device_(device), sizes_(std::move(sizes)), offsets_(offsetsOf(sizes_)), bytes_(0) {
  for (const int64_t size : sizes_) bytes_ += Buffer::storageBytes(size);
  start_ = device_.allocate(bytes_);
  for (int piece = 0; piece < static_cast<int>(sizes_.size()); ++piece) upload(piece, Buffer::plain(size(piece)));
}

DeviceArena::~DeviceArena() { device_.free(start_); }

void DeviceArena::upload(int piece, const Buffer& from) const {
  device_.upload(data(piece) - kGuardBytes, from.storage(), Buffer::storageBytes(size(piece)));
}

Buffer DeviceArena::download(int piece) const {
  Buffer to = Buffer::plain(size(piece));
  device_.download(to.storage(), data(piece) - kGuardBytes, Buffer::storageBytes(size(piece)));
  return to;
}

}  // namespace ulysses::perf
