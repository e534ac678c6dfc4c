// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "nccl_meeting.h"

#include <sys/mman.h>

#include <new>

namespace ulysses::nccl_check {

Meeting* Meeting::make(int nRanks) {
  void* const memory = mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap failed");
  auto* const meeting = new (memory) Meeting;
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&meeting->barrier, &attributes, static_cast<unsigned>(nRanks));
  pthread_barrierattr_destroy(&attributes);
  return meeting;
}

void Meeting::free(Meeting* meeting) noexcept { munmap(meeting, sizeof(Meeting)); }

}  // namespace ulysses::nccl_check
