// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "api/group.h"

#include <algorithm>
#include <deque>
#include <set>
#include <type_traits>

namespace ulysses::api {
namespace {

struct ThreadGroup {
  int depth = 0;
  std::vector<QueuedCall> calls;
};
thread_local ThreadGroup group;

/// Runs a batch of calls, on one or many communicators, from one thread: all are announced before any is waited for.
class Batch {
 public:
  /// The communicators of the calls, each used exclusively until the batch ends.
  explicit Batch(const std::vector<QueuedCall>& calls) {
    // In one order for all batches: the uses may hold locks of progress threads.
    std::set<uint64_t> ids;
    for (const QueuedCall& call : calls) ids.insert(call.comm);
    for (const uint64_t id : ids) {
      lines_.push_back({id, requireComm(id), {}, {}});
      uses_.emplace_back(*lines_.back().comm);
      if (!uses_.back()) raise(Result::InvalidUsage, "a communicator of the group is in use by another thread");
    }
  }

  Result run(const std::vector<QueuedCall>& calls) {
    for (const QueuedCall& call : calls) lineOf(call.comm).waiting.push_back(&call);
    Waiter waiter;
    while (startSome() || anyRunning()) {
      if (advanceAll())
        waiter.reset();
      else if (waiter.idle() != Waiter::Next::Again)
        for (Line& line : lines_) line.comm->exchange().checkPeers();
      collectDone();
    }
    return first_;
  }

 private:
  /// What is to be done on one communicator, in order.
  struct Line {
    uint64_t id;
    HandleTable::Reference comm;
    std::deque<const QueuedCall*> waiting;
    std::deque<uint64_t> running;  // sequences
  };

  Line& lineOf(uint64_t id) {
    for (Line& line : lines_)
      if (line.id == id) return line;
    raise(Result::InternalError, "a queued call lost its communicator");
  }

  /// Starts what there is room for on every communicator before anything is waited for: a full one must not hold up the
  /// announcements of the others, which its operations need.
  bool startSome() {
    bool started = false;
    for (Line& line : lines_)
      while (!line.waiting.empty() && std::ssize(line.running) < kMaxOutstanding) {
        start(line, *line.waiting.front());
        line.waiting.pop_front();
        started = true;
      }
    return started;
  }

  void start(Line& line, const QueuedCall& call) {
    uint64_t sequence = 0;
    const Result result =
        startCall(*line.comm, call.operation, call.geometryPointer ? &call.geometry : nullptr,
                  call.tensorsPointer ? call.tensors : nullptr, call.nTensors, call.stream, &sequence);
    if (result != Result::Success)
      note(*line.comm, result);
    else if (sequence != 0)
      line.running.push_back(sequence);
  }

  bool anyRunning() const {
    return std::any_of(lines_.begin(), lines_.end(), [](const Line& line) { return !line.running.empty(); });
  }

  bool advanceAll() {
    bool moved = false;
    for (Line& line : lines_) moved |= line.comm->exchange().advance();
    return moved;
  }

  void collectDone() {
    for (Line& line : lines_)
      while (!line.running.empty() && line.comm->exchange().isDone(line.running.front())) {
        note(*line.comm, line.comm->exchange().collect(line.running.front()));
        line.running.pop_front();
      }
  }

  void note(Communicator& comm, Result result) {
    if (result == Result::Success) return;
    std::string text = comm.rememberFailure(result);
    if (first_ != Result::Success) return;
    first_ = result;
    threadError() = std::move(text);
  }

  std::deque<Line> lines_;  // deques: neither a Line nor a Use moves
  std::deque<Communicator::Use> uses_;
  Result first_ = Result::Success;
};

}  // namespace

bool inGroup() { return group.depth > 0; }
void enqueue(const QueuedCall& call) { group.calls.push_back(call); }
void groupStart() { ++group.depth; }

Result groupEnd() {
  if (group.depth == 0) raise(Result::InvalidUsage, "ulyssesGroupEnd without ulyssesGroupStart on this thread");
  if (--group.depth > 0) return Result::Success;
  const std::vector<QueuedCall> calls = std::exchange(group.calls, {});
  return Batch(calls).run(calls);
}

namespace {

/// The public structs have no padding, so equal bytes are equal calls, and the other way round nearly always.
CallBytes bytesOf(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors) {
  static_assert(std::has_unique_object_representations_v<ulyssesGeometry_t>);
  static_assert(std::has_unique_object_representations_v<ulyssesTensor_t>);
  if (!geometry || !tensors || nTensors < 1 || nTensors > kMaxTensors) return {};
  if (geometry->tokens || geometry->queryHeads || geometry->cuSeqlens) return {};
  return {std::as_bytes(std::span(geometry, 1)), std::as_bytes(std::span(tensors, static_cast<size_t>(nTensors)))};
}

}  // namespace

Result startCall(Communicator& comm, Operation operation, const ulyssesGeometry_t* geometry,
                 const ulyssesTensor_t* tensors, int nTensors, void* stream, uint64_t* sequence) {
  const CallBytes bytes = bytesOf(geometry, tensors, nTensors);
  if (stream == nullptr && comm.repeats(operation, bytes)) return comm.startAgain(sequence);
  Call call;
  try {
    translateCall(operation, geometry, tensors, nTensors, comm.nRanks(), call);
  } catch (const Error& error) {
    return comm.refuse(call, error.result(), error.what(), stream);
  }
  return comm.start(call, bytes, stream, sequence);
}

}  // namespace ulysses::api
