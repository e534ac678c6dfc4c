// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The tensors of a rank in one allocation of its GPU, with guard bytes around each, and those of its peers.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.h"
#include "device.h"

namespace ulysses::perf {

class DeviceArena {
 public:
  DeviceArena(Device& device, std::vector<int64_t> sizes);  // bytes of each piece
  DeviceArena(const DeviceArena&) = delete;
  DeviceArena& operator=(const DeviceArena&) = delete;
  ~DeviceArena();

  std::byte* start() const { return start_; }
  int64_t bytes() const { return bytes_; }
  std::byte* data(int piece) const { return start_ + offset(piece); }
  int64_t size(int piece) const { return sizes_[static_cast<size_t>(piece)]; }
  int64_t offset(int piece) const { return offsets_[static_cast<size_t>(piece)]; }
  static std::vector<int64_t> offsetsOf(const std::vector<int64_t>& sizes);  // of data, behind the guard

  // A piece with its guards from and to host memory: a Buffer of its size.
  void upload(int piece, const Buffer& from) const;
  Buffer download(int piece) const;

 private:
  Device& device_;
  std::vector<int64_t> sizes_, offsets_;
  int64_t bytes_;
  std::byte* start_;
};

}  // namespace ulysses::perf
