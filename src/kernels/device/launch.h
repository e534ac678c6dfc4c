// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Host side of the kernels; only in builds with CUDA.
#pragma once
#include <string>

#include "kernels/device/handover.h"
#include "kernels/device/shard_copy.h"

namespace ulysses::device {

inline constexpr int kThreads = 256;           // of a block
inline constexpr uint32_t kTilePieces = 1024;  // what a block's threads have in flight, once

/// A result of CUDA: empty, or its text.
using CudaError = std::string;

/// How many blocks of an exchange may run on a device at once, without sums and with them, see Arguments::sums. Ranks
/// that share the device divide them: a block that waits for one that has no room waits until the deadline. So the
/// kernel is chosen alike at all ranks, whatever each has to do.
struct ResidentBlocks {
  int ofPush = 0, ofSum = 0;
};

/// Loads the kernels onto the current device; CUDA else does it at the first launch, which then waits for other
/// kernels, those of peers that wait for this rank too.
CudaError loadExchange(ResidentBlocks* resident);

/// Enqueues the exchange on a stream of the current device. `call` is copied; what it points to must live until the
/// exchange has ended. Trouble is told later, in call.report.
CudaError launchExchange(const Arguments& call, int blocks, void* stream);

/// Enqueues copies within the device, which wait for nothing.
CudaError launchCopies(const ShardCopies& copies, int blocks, void* stream);

/// Enqueues a step of handing a call to the host, which waits for nothing but the host.
CudaError launchHandover(const HandoverCall& call, void* stream);

}  // namespace ulysses::device
