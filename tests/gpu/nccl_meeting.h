// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <pthread.h>

#include "nccl_library.h"

namespace ulysses::nccl_check {

/// What the processes of a case share, in memory of all.
struct Meeting {
  pthread_barrier_t barrier;
  UniqueId id;

  /// Throws std::runtime_error.
  static Meeting* make(int nRanks);
  static void free(Meeting* meeting) noexcept;
  /// All ranks were here; the case's deadline ends it for those that wait for a dead one.
  void meet() { pthread_barrier_wait(&barrier); }
};

}  // namespace ulysses::nccl_check
