// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How ranks agree on an exchange and close it, on their devices: each block of each rank runs this.
//
// A Machine is what it runs on: block(), blocks(), thread(), threads(); any(bool), which all threads of a block call
// together and which makes their writes visible to each other; loads and stores of words that others poll (acquire,
// release, at the system's scope); put(), a store that orders nothing; add(), atomic in the device; now() in
// nanoseconds; pause().
//
// An exchange's epoch is the last one's plus 1, modulo 2^32: words are compared for equality only, since no rank is
// ever more than one exchange ahead of another.
#pragma once
#include <cstdint>

#include "kernels/device/work.h"

namespace ulysses::device {

template <typename Machine>
class Protocol {
 public:
  ULYSSES_HOST_DEVICE Protocol(const Arguments& call, Machine& machine)
      : call_(call),
        machine_(machine),
        board_(call.boards[call.rank], call.nRanks),
        epoch_(machine.load(&board_.local().epoch) + 1) {}

  ULYSSES_HOST_DEVICE const Board& board() const { return board_; }

  /// Tells the peers of this call and waits for theirs; true when all are there, say the same, and name memory that
  /// this rank can reach. Else no byte may move: trouble is reported, and the ranks are told that there will be no
  /// exchange.
  ULYSSES_HOST_DEVICE bool meet() {
    // After trouble the epoch is still that of the last letter, by which peers may be writing: it must stay as it is.
    bool failed = isRevoked() && !fail(Trouble::kRevoked, call_.rank, false, 0);
    if (machine_.any(failed)) return false;
    if (machine_.block() == 0) postLetters();
    // A rank that comes after the others gave up finds all their letters, and must not write to them any more.
    failed = !await(board_.from(call_.rank).ready, call_.rank, false);
    failed = failed || (isRevoked() && !fail(Trouble::kRevoked, call_.rank, false, 0));
    for (int peer = first(); peer < call_.nRanks; peer += step())
      failed = failed || !await(board_.from(peer).ready, peer, false) || !agrees(peer);
    return !machine_.any(failed);
  }

  /// The bytes of this block have moved. The last block of the rank says so to the peers, and waits until all have said
  /// it.
  ULYSSES_HOST_DEVICE bool finish() { return !isLastBlock() || tellAndAwaitDone(); }

  /// The same as a launch of its own, of one block, behind that which met and the copies that the stream made. When the
  /// meeting failed the copies were made all the same, so nobody may be told that they are good. A poison now: not all
  /// of them could be enqueued.
  ULYSSES_HOST_DEVICE bool close() {
    bool failed = isRevoked() && !fail(Trouble::kRevoked, call_.rank, true, 0);
    if (call_.letter.poison != 0) failed = failed || !fail(Trouble::kPoison, call_.rank, true, call_.letter.poison);
    return !machine_.any(failed) && tellAndAwaitDone();
  }

 private:
  ULYSSES_HOST_DEVICE int first() const { return static_cast<int>(machine_.thread()); }
  ULYSSES_HOST_DEVICE int step() const { return static_cast<int>(machine_.threads()); }
  ULYSSES_HOST_DEVICE Board boardOf(int peer) const { return Board(call_.boards[peer], call_.nRanks); }

  ULYSSES_HOST_DEVICE bool isRevoked() const { return machine_.load(&board_.local().revoked.value) != 0; }

  ULYSSES_HOST_DEVICE bool tellAndAwaitDone() {
    for (int peer = first(); peer < call_.nRanks; peer += step())
      machine_.store(&boardOf(peer).done(call_.rank).value, epoch_);
    bool failed = false;
    for (int peer = first(); peer < call_.nRanks; peer += step())
      failed = failed || !await(board_.done(peer).value, peer, true);
    if (machine_.any(failed)) return false;
    if (machine_.thread() != 0) return true;
    // The next launch looks at them, but for the host at `ended`, which may then overwrite what blocks have read: that
    // is released by what they and this one did in add(), or comes with another launch.
    machine_.put(&board_.local().epoch, epoch_);
    machine_.put(&board_.local().ended, call_.launch);
    return true;
  }

  ULYSSES_HOST_DEVICE void postLetters() {
    constexpr uint32_t kWords = sizeof(Letter) / sizeof(uint64_t);
    const uint64_t* const from = reinterpret_cast<const uint64_t*>(&call_.letter);
    for (uint32_t i = machine_.thread(); i < kWords * static_cast<uint32_t>(call_.nRanks); i += machine_.threads()) {
      Letter& letter = boardOf(static_cast<int>(i / kWords)).from(call_.rank).letter;
      reinterpret_cast<uint64_t*>(&letter)[i % kWords] = from[i % kWords];
    }
    machine_.any(false);
    for (int peer = first(); peer < call_.nRanks; peer += step())
      if (peer != call_.rank) machine_.store(&boardOf(peer).from(call_.rank).ready, epoch_);
    // The own one last: whoever waited for it knows that the peers have theirs, and may give up without surprising
    // them.
    machine_.any(false);
    if (machine_.thread() == 0) machine_.store(&board_.from(call_.rank).ready, epoch_);
  }

  /// Whether the word became the epoch, before the deadline and before anybody gave up.
  ULYSSES_HOST_DEVICE bool await(uint32_t& word, int peer, bool closing) {
    if (machine_.load(&word) == epoch_) return true;
    const uint64_t begin = machine_.now();
    while (machine_.load(&word) != epoch_) {
      if (isRevoked()) return fail(Trouble::kRevoked, peer, closing, 0);
      if (isPast(begin, call_.timeoutNs, machine_)) return fail(Trouble::kTimeout, peer, closing, 0);
      machine_.pause();
    }
    return true;
  }

  ULYSSES_HOST_DEVICE bool agrees(int peer) {
    const Letter& letter = board_.from(peer).letter;
    if (letter.poison != 0) return fail(Trouble::kPoison, peer, false, letter.poison);
    if (letter.callHash != call_.letter.callHash) return fail(Trouble::kMismatch, peer, false, letter.callHash);
    for (int t = 0; peer != call_.rank && t < call_.nTensors; ++t) {
      if (!isKnown(peer, letter.tensors[t]))
        return fail(Trouble::kUnknownMemory, peer, false, static_cast<uint64_t>(t));
      if (call_.assumed != nullptr && !isAssumed(peer, t, letter.tensors[t]))
        return fail(Trouble::kAsymmetric, peer, false, static_cast<uint64_t>(t));
    }
    return true;
  }

  /// Whether a peer's output is where this rank's copies, which are enqueued already, take it to be.
  ULYSSES_HOST_DEVICE bool isAssumed(int peer, int tensor, const TensorPlace& place) const {
    const TensorPlace& own = call_.letter.tensors[tensor];
    const Steps& steps = call_.assumed[peer * call_.nTensors + tensor];
    bool same = place.segment == own.segment && place.offset == own.offset;
    for (int i = 0; i < 4; ++i) same = same && place.strides[i] == steps.bytes[i];
    return same;
  }

  ULYSSES_HOST_DEVICE bool isKnown(int peer, const TensorPlace& place) const {
    if (place.begin == place.end) return true;
    if (place.segment >= call_.segmentsPerRank) return false;
    const Segment& segment = call_.segments[static_cast<uint32_t>(peer) * call_.segmentsPerRank + place.segment];
    return segment.base != nullptr && place.offset + place.begin >= 0 && place.offset + place.end <= segment.bytes;
  }

  /// Always false. Another rank gave up: where a letter says why, that is this rank's trouble too.
  ULYSSES_HOST_DEVICE bool fail(Trouble trouble, int peer, bool closing, uint64_t theirs) {
    for (int rank = 0; trouble == Trouble::kRevoked && !closing && rank < call_.nRanks; ++rank) {
      if (machine_.load(&board_.from(rank).ready) != epoch_) continue;
      const Letter& letter = board_.from(rank).letter;
      const bool poisoned = letter.poison != 0;
      if (!poisoned && letter.callHash == call_.letter.callHash) continue;
      trouble = poisoned ? Trouble::kPoison : Trouble::kMismatch;
      theirs = poisoned ? letter.poison : letter.callHash;
      peer = rank;
    }
    // The first trouble of a rank is the one its host sees.
    if (machine_.add(&board_.local().claimed, 1) == 0) report(trouble, peer, closing, theirs);
    return false;
  }

  ULYSSES_HOST_DEVICE void report(Trouble trouble, int peer, bool closing, uint64_t theirs) {
    Report& report = *call_.report;
    report.peer = peer;
    report.epoch = epoch_;
    report.whileClosing = closing ? 1 : 0;
    report.own = call_.letter.callHash;
    report.theirs = theirs;
    machine_.store(&report.state, static_cast<uint32_t>(trouble));
    for (int rank = 0; rank < call_.nRanks; ++rank) machine_.store(&boardOf(rank).local().revoked.value, 1);
  }

  /// Once per exchange true for all threads of one block, when all blocks have come here.
  ULYSSES_HOST_DEVICE bool isLastBlock() {
    machine_.any(false);
    bool last = false;
    if (machine_.thread() == 0) last = machine_.add(&board_.local().arrivals, 1) == machine_.blocks() - 1;
    if (!machine_.any(last)) return false;
    if (machine_.thread() == 0) machine_.put(&board_.local().arrivals, 0);
    return true;
  }

  const Arguments& call_;
  Machine& machine_;
  Board board_;
  uint32_t epoch_;
};

}  // namespace ulysses::device
