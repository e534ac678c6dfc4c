// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "api/handle.h"
#include "api/translate.h"

namespace ulysses::api {

/// A collective as it was called: pointers into the caller's arrays, which live until it has run.
struct QueuedCall {
  Operation operation;
  uint64_t comm;
  ulyssesGeometry_t geometry;
  const ulyssesGeometry_t* geometryPointer;  // to see a NULL
  ulyssesTensor_t tensors[ULYSSES_MAX_TENSORS];
  const ulyssesTensor_t* tensorsPointer;
  int nTensors;
  void* stream;
};

/// Whether the calling thread is between ulyssesGroupStart and ulyssesGroupEnd.
bool inGroup();
void enqueue(const QueuedCall& call);
void groupStart();
/// Runs what was queued when the outermost group ends; the first error.
Result groupEnd();

/// Starts a call on a communicator inside a Use: translates, and poisons when that fails. *sequence stays 0 when there
/// is nothing to wait for: device tensors.
Result startCall(Communicator& comm, Operation operation, const ulyssesGeometry_t* geometry,
                 const ulyssesTensor_t* tensors, int nTensors, void* stream, uint64_t* sequence);

}  // namespace ulysses::api
