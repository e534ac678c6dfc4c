// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How a stream hands a call to its rank's host and waits for the end of it: words in host memory that both reach. A
// launch of one block posts, another, behind it on the stream, waits; the host's side is src/path/cuda/handover_end.h.
// For Machine see protocol.h. As there an epoch counts the calls, so that a launch that is made again is another call.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/device/board.h"
#include "kernels/device/lease.h"

namespace ulysses::device {

/// What the host is to do: a plan that it knows by number, with tensors in its memory. Or the call could not be made.
struct Order {
  uint64_t plan = 0;
  uint64_t refusal = 0;  // not 0: a Result
  const std::byte* inputs[kTensors] = {};
  std::byte* outputs[kTensors] = {};
};

/// In host memory. All zero at first, but for the epochs.
struct Handover {
  struct alignas(128) Posted {  // by the stream
    uint32_t epoch;
    Order order;
  } posted;
  struct alignas(128) Ended {  // by the host
    uint32_t epoch;
    uint32_t failed;  // not 0: that call failed, and there will be no other
  } ended;
  struct alignas(128) Lost {  // by the stream
    uint32_t epoch;           // of a call whose end did not come; 0: none
    uint32_t happened;
  } lost;
};

/// In device memory; of the stream only.
struct HandoverState {
  uint32_t epoch;   // of the last call that ended well
  uint32_t failed;  // not 0: no call any more
};

enum class HandoverStep : uint32_t { kPost, kAwait };

/// Of one launch; a kernel gets it by value.
struct HandoverCall {
  Lease lease;
  HandoverStep step = HandoverStep::kPost;
  Handover* shared = nullptr;
  HandoverState* state = nullptr;
  uint64_t timeoutNs = 0;  // of the wait
  Order order{};
};

/// What the stream did before is there for the host once it sees the epoch. One call at a time: the last one's end was
/// waited for on this stream.
template <typename Machine>
ULYSSES_HOST_DEVICE void post(const HandoverCall& call, Machine& machine) {
  if (call.state->failed != 0) return;
  constexpr uint32_t kWords = sizeof(Order) / sizeof(uint64_t);
  const uint64_t* const from = reinterpret_cast<const uint64_t*>(&call.order);
  uint64_t* const to = reinterpret_cast<uint64_t*>(&call.shared->posted.order);
  for (uint32_t i = machine.thread(); i < kWords; i += machine.threads()) to[i] = from[i];
  machine.any(false);
  if (machine.thread() == 0) machine.store(&call.shared->posted.epoch, call.state->epoch + 1);
}

/// Until the host says that the call ended, or by the deadline. After a failure the state says so: what follows on the
/// stream must leave outputs as they are, see ShardCopies::unless. One thread runs this.
template <typename Machine>
ULYSSES_HOST_DEVICE void await(const HandoverCall& call, Machine& machine) {
  if (call.state->failed != 0) return;
  const uint32_t epoch = call.state->epoch + 1;
  Handover& shared = *call.shared;
  const uint64_t begin = machine.now();
  while (machine.load(&shared.ended.epoch) != epoch) {
    if (isPast(begin, call.timeoutNs, machine)) {
      shared.lost.epoch = epoch;
      machine.store(&shared.lost.happened, 1);
      call.state->failed = 1;
      return;
    }
    machine.pause();
  }
  call.state->failed = shared.ended.failed;
  if (shared.ended.failed == 0) call.state->epoch = epoch;
}

template <typename Machine>
ULYSSES_HOST_DEVICE void handOver(const HandoverCall& call, Machine& machine) {
  if (!isLive(call.lease, machine)) return;
  if (call.step == HandoverStep::kPost)
    post(call, machine);
  else if (machine.thread() == 0)
    await(call, machine);
}

}  // namespace ulysses::device
