// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// NCCL as it is found at run time, by our own declarations of the few functions that the check calls.
#pragma once
#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace ulysses::nccl_check {

using Comm = struct ncclComm*;
struct UniqueId {
  std::array<char, 128> bytes;
};
enum class NcclType : int { Uint32 = 3 };
enum class NcclOp : int { Sum = 0 };
/// ncclResult_t; what else there is is named by NCCL itself.
inline constexpr int kSuccess = 0, kInProgress = 7;

#define ULYSSES_NCCL_FUNCTIONS(X)                                                         \
  X(ncclGetVersion, int, int*)                                                            \
  X(ncclGetUniqueId, int, UniqueId*)                                                      \
  X(ncclCommInitRank, int, Comm*, int, UniqueId, int)                                     \
  X(ncclCommDestroy, int, Comm)                                                           \
  X(ncclCommAbort, int, Comm)                                                             \
  X(ncclCommGetAsyncError, int, Comm, int*)                                               \
  X(ncclGetErrorString, const char*, int)                                                 \
  X(ncclGetLastError, const char*, Comm)                                                  \
  X(ncclAllReduce, int, const void*, void*, size_t, NcclType, NcclOp, Comm, cudaStream_t) \
  X(ncclAllGather, int, const void*, void*, size_t, NcclType, Comm, cudaStream_t)         \
  X(ncclSend, int, const void*, size_t, NcclType, int, Comm, cudaStream_t)                \
  X(ncclRecv, int, void*, size_t, NcclType, int, Comm, cudaStream_t)                      \
  X(ncclGroupStart, int)                                                                  \
  X(ncclGroupEnd, int)

/// libnccl.so.2 is not there, or not one that can be used.
struct NoNccl : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Nccl {
#define ULYSSES_NCCL_MEMBER(name, result, ...) result (*name)(__VA_ARGS__) = nullptr;
  ULYSSES_NCCL_FUNCTIONS(ULYSSES_NCCL_MEMBER)
#undef ULYSSES_NCCL_MEMBER

  /// Throws NoNccl. NCCL reads its environment at its first call.
  static Nccl load();
  /// "2.28.9".
  std::string version() const;
  /// Throws std::runtime_error with NCCL's words when `result` is no success.
  void require(int result, const char* call, Comm comm = nullptr) const;
};

}  // namespace ulysses::nccl_check
