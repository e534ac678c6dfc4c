// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/shm/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/memory_limit.h"

namespace ulysses {
namespace {

/// What a file of that many bytes costs besides its pages: page tables at the owner and at a peer, and the kernel's
/// own objects, which it charges to the group in batches per core. An allocation that leaves less ends in a SIGKILL.
size_t overheadOf(size_t bytes) {
  constexpr size_t kKernelObjects = 2 << 20;
  return bytes / 512 * 2 + kKernelObjects;
}

}  // namespace

UniqueFd createMemfd(const char* name, size_t bytes) {
  const MemoryLimit limit = tightestMemoryLimit();
  if (bytes + overheadOf(bytes) > limit.availableBytes)
    raise(Result::OutOfMemory,
          "{} bytes of shared memory needed, {} available under {}, of which page tables take {}; free memory, raise "
          "that "
          "limit (docker: --memory; systemd: MemoryMax=), or ask for less",
          bytes, limit.availableBytes, limit.name, overheadOf(bytes));
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) raiseErrno("memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) raiseErrno("ftruncate of a memfd");
  // Allocate now: a page that cannot be had later would be a SIGBUS in the middle of an exchange.
  if (const int error = posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0)
    raise(Result::OutOfMemory, "{} bytes of shared memory needed, posix_fallocate failed: {} (errno {})", bytes,
          std::strerror(error), error);
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) raiseErrno("sealing a memfd");
  return fd;
}

}  // namespace ulysses
