// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "api/group.h"

using namespace ulysses;
using namespace ulysses::api;

namespace {

Result queue(Operation operation, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors,
             uint64_t comm, void* stream) {
  requireComm(comm);
  QueuedCall call{};
  call.stream = stream;
  call.operation = operation;
  call.comm = comm;
  call.geometryPointer = geometry;
  call.tensorsPointer = tensors;
  call.nTensors = nTensors;
  if (geometry) call.geometry = *geometry;
  if (tensors) std::copy_n(tensors, std::clamp(nTensors, 0, ULYSSES_MAX_TENSORS), call.tensors);
  enqueue(call);
  return Result::Success;
}

ulyssesResult_t runBlocking(Operation operation, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                            int nTensors, ulyssesComm_t handle, void* stream) {
  return guard([&] {
    if (inGroup()) return queue(operation, geometry, tensors, nTensors, idOf(handle), stream);
    return withComm(idOf(handle), [&](Communicator& comm) {
      uint64_t sequence = 0;
      const Result started = startCall(comm, operation, geometry, tensors, nTensors, stream, &sequence);
      return started == Result::Success && sequence != 0 ? comm.exchange().wait(sequence) : started;
    });
  });
}

ulyssesResult_t runStart(Operation operation, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                         int nTensors, ulyssesComm_t handle, void* stream, ulyssesRequest_t* request) {
  return guard([&] {
    require(request != nullptr, "request is NULL");
    *request = {};
    return withComm(idOf(handle), [&](Communicator& comm) {
      uint64_t sequence = 0;
      const Result started = startCall(comm, operation, geometry, tensors, nTensors, stream, &sequence);
      if (started == Result::Success && sequence != 0) *request = {idOf(handle), sequence};
      return started;
    });
  });
}

bool isNull(const ulyssesRequest_t& request) { return request.comm == 0 && request.sequence == 0; }

Result test(ulyssesRequest_t* request, int* done) {
  require(request != nullptr, "request is NULL");
  require(done != nullptr, "done is NULL");
  *done = 1;
  if (isNull(*request)) return Result::Success;
  return withComm(request->comm, [&](Communicator& comm) {
    Exchange& exchange = comm.exchange();
    exchange.poll(request->sequence);
    if (!exchange.isDone(request->sequence)) {
      *done = 0;
      return Result::Success;
    }
    const uint64_t sequence = request->sequence;
    *request = {};
    return exchange.collect(sequence);
  });
}

Result wait(ulyssesRequest_t* request) {
  require(request != nullptr, "request is NULL");
  if (isNull(*request)) return Result::Success;
  return withComm(request->comm, [&](Communicator& comm) {
    const uint64_t sequence = request->sequence;
    *request = {};
    return comm.exchange().wait(sequence);
  });
}

/// `op` and `why` are enumerators of the caller's, which may be none of their types.
Result refuse(int op, int why, const char* reason, uint64_t comm) {
  require(op == ulyssesOpScatterHeads || op == ulyssesOpGatherHeads, "op={}: want 0 (ScatterHeads) or 1 (GatherHeads)",
          op);
  require(why > ulyssesSuccess && why <= ulyssesCorrupted, "result={}: want the error that stands in the way, 1..{}",
          why, numberOf(ulyssesCorrupted));
  require(reason != nullptr, "reason is NULL");
  const auto given = static_cast<Result>(why);
  return withComm(comm, [&](Communicator& c) {
    const uint64_t before = c.exchange().lastStarted();
    const Result poisoned = c.poison(static_cast<Operation>(op), given, reason);
    return c.exchange().lastStarted() != before ? Result::Success : poisoned;  // told, or why not
  });
}

}  // namespace

extern "C" {

ulyssesResult_t ulyssesScatterHeads(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors,
                                    ulyssesComm_t comm, void* stream) {
  return runBlocking(Operation::ScatterHeads, geometry, tensors, nTensors, comm, stream);
}

ulyssesResult_t ulyssesGatherHeads(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors,
                                   ulyssesComm_t comm, void* stream) {
  return runBlocking(Operation::GatherHeads, geometry, tensors, nTensors, comm, stream);
}

ulyssesResult_t ulyssesScatterHeadsStart(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                                         int nTensors, ulyssesComm_t comm, void* stream, ulyssesRequest_t* request) {
  return runStart(Operation::ScatterHeads, geometry, tensors, nTensors, comm, stream, request);
}

ulyssesResult_t ulyssesGatherHeadsStart(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors,
                                        ulyssesComm_t comm, void* stream, ulyssesRequest_t* request) {
  return runStart(Operation::GatherHeads, geometry, tensors, nTensors, comm, stream, request);
}

ulyssesResult_t ulyssesTest(ulyssesRequest_t* request, int* done) {
  return guard([&] { return test(request, done); });
}

ulyssesResult_t ulyssesWait(ulyssesRequest_t* request) {
  return guard([&] { return wait(request); });
}

ulyssesResult_t ulyssesRefuse(ulyssesOp_t op, ulyssesResult_t result, const char* reason, ulyssesComm_t comm) {
  return guard([&] { return refuse(numberOf(op), numberOf(result), reason, idOf(comm)); });
}

ulyssesResult_t ulyssesGroupStart(void) {
  return guard([&] {
    groupStart();
    return Result::Success;
  });
}

ulyssesResult_t ulyssesGroupEnd(void) {
  return guard([&] { return groupEnd(); });
}

}  // extern "C"
