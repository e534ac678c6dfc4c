// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "shared_tensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "error.h"

namespace ulysses::perf {

// Pages come when they are first touched: only what a case uses is there.
SharedStorage::SharedStorage(int nRanks, int64_t stripeBytes)
    : stripeBytes_(stripeBytes), bytes_(static_cast<size_t>(nRanks * stripeBytes)) {
  if (bytes_ == 0) return;
  fd_ = memfd_create("ulysses_perf_tensors", MFD_CLOEXEC);
  if (fd_ < 0 || ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) throwErrno("memfd for the comparisons");
  map();
}

SharedStorage::SharedStorage(const std::string& path, int nRanks, int64_t stripeBytes)
    : stripeBytes_(stripeBytes), bytes_(static_cast<size_t>(nRanks * stripeBytes)) {
  if (bytes_ == 0) return;
  fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) throwErrno("open of " + path);
  map();
}

void SharedStorage::map() {
  void* base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
  if (base == MAP_FAILED) throwErrno(fmt::format("mmap of {} bytes for the comparisons", bytes_));
  base_ = static_cast<std::byte*>(base);
}

SharedStorage::~SharedStorage() {
  if (base_ != nullptr) munmap(base_, bytes_);
  if (fd_ >= 0) close(fd_);
}

std::string SharedStorage::path() const { return fmt::format("/proc/{}/fd/{}", getpid(), fd_); }

SharedTensors::SharedTensors(const SharedStorage& storage, int64_t offset, std::vector<std::vector<int64_t>> sizes)
    : storage_(storage), offset_(offset), sizes_(std::move(sizes)) {}

std::byte* SharedTensors::place(int rank, int index) const {
  int64_t offset = offset_;
  for (int i = 0; i < index; ++i)
    offset += Buffer::storageBytes(sizes_[static_cast<size_t>(rank)][static_cast<size_t>(i)]);
  return storage_.stripe(rank) + offset;
}

std::byte* SharedTensors::data(int rank, int index) const { return place(rank, index) + kGuardBytes; }

Buffer SharedTensors::buffer(int rank, int index) const {
  return Buffer::within(place(rank, index), sizes_[static_cast<size_t>(rank)][static_cast<size_t>(index)]);
}

int64_t SharedTensors::stripeBytes(const std::vector<std::vector<int64_t>>& sizes) {
  int64_t largest = 0;
  for (const std::vector<int64_t>& ofRank : sizes) {
    int64_t bytes = 0;
    for (const int64_t size : ofRank) bytes += Buffer::storageBytes(size);
    largest = std::max(largest, bytes);
  }
  return largest;
}

}  // namespace ulysses::perf
