// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory that the tool, its ranks and the ranks of its MPI helper share: barrier, turns, results, error texts.
// Barrier and turns are the tool's own, so that no measured code synchronises its own measurement.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {

constexpr int kMaxRanks = 256;
constexpr int kMaxContenders = 8;

// Who executes: the ranks that the tool forked, or those that mpirun started for --compare mpi. They take turns on the
// same cores; whose turn it is not sleeps.
enum class Side { kRanks = 0, kMpi = 1 };
constexpr int kSides = 2;

struct alignas(64) Flag {
  std::atomic<uint32_t> value{0};
};

enum class Phase : uint32_t { kStarting, kJoining, kAllocating, kVerifying, kWarming, kTiming, kWaiting, kEnding };
const char* phaseName(Phase phase);

enum PathBit : uint32_t { kByShm = 1, kByUcx = 2, kByCuda = 4 };

struct alignas(64) RankSlot {
  std::atomic<pid_t> pid{0};
  std::atomic<uint32_t> heartbeat{0};  // changes while the rank gets on; the watchdog looks at it
  std::atomic<Phase> phase{Phase::kStarting};
  std::atomic<uint32_t> paths{0};  // to its peers, as bits of PathBit
  std::atomic<int> core{-1};       // that the rank is bound to, as it knows itself; -1: not said
  char device[96] = {};            // name of its GPU; empty: none is used
  char error[2048] = {};

  void enter(Phase next) {
    phase.store(next, std::memory_order_relaxed);
    beat();
  }
  void beat() {  // one writer: a plain increment will do
    heartbeat.store(heartbeat.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

// One row of results: a contender's times and the checks of its outputs.
struct ContenderSlot {
  char unavailable[256] = {};  // why it has no times; empty: it has

  void explain(std::string_view why) { unavailable[why.copy(unavailable, sizeof unavailable - 1)] = '\0'; }
};

struct RankResult {
  double backToBackUs;
  int64_t wrong, damagedGuardBytes;
  int64_t extraMemoryBytes;  // of the rank, grown by all its exchanges; kept with its first contender, the library
};

class SharedArea {
 public:
  // maxIterations: most timed iterations of any case.
  static SharedArea create(int nRanks, int maxIterations);
  // path() of another process's area. Throws RunError where it is not there: on another machine.
  static SharedArea attach(const std::string& path);
  SharedArea(SharedArea&& other) noexcept;
  SharedArea& operator=(SharedArea&&) = delete;
  ~SharedArea();

  std::string path() const;                        // "/proc/PID/fd/N": open to this user while the creator lives
  uint64_t mark() const { return header_->mark; }  // random: no other machine has this one
  int nRanks() const { return header_->nRanks; }

  // How ranks of several machines meet, instead of by this memory. Of this process.
  void meetBy(std::function<void()> meeting) { meeting_ = std::move(meeting); }
  const std::function<void()>& meeting() const { return meeting_; }

  RankSlot& slot(Side side, int rank) const;
  Flag* barrierFlags(Side side) const;
  ContenderSlot& contender(int index) const;
  RankResult& result(int contender, int rank) const;
  double* timesUs(int contender, int rank) const;  // [maxIterations]

  ulyssesUniqueId_t& uniqueId() const { return header_->id; }
  // Counters with their waiters: started (1: id is there, go), turn (see bench.cc), shown (cases the tool has printed).
  std::atomic<uint32_t>& started() const { return header_->started; }
  std::atomic<uint32_t>& turn() const { return header_->turn; }
  std::atomic<uint32_t>& shown() const { return header_->shown; }
  std::atomic<uint32_t>& mpiReady() const { return header_->mpiReady; }  // helper ranks that came up
  std::atomic<uint32_t>& withMpi() const { return header_->withMpi; }    // 1: they take part
  std::atomic<uint32_t>& exitCode() const { return header_->exitCode; }  // of ranks that a launcher started

  void reportError(Side side, int rank, std::string_view text) const;

 private:
  struct Header {
    int nRanks, maxIterations;
    size_t bytes;
    uint64_t mark;
    ulyssesUniqueId_t id;
    alignas(64) std::atomic<uint32_t> started, turn, shown, mpiReady, withMpi, exitCode;
  };
  SharedArea(int fd, size_t bytes);

  int fd_;
  size_t bytes_;
  Header* header_;
  std::byte* base_;
  std::function<void()> meeting_;
};

// A peer is gone, or nobody gets on: what this process waits for will not come.
struct Abandoned : RunError {
  using RunError::RunError;
};

// From now on the waits below throw Abandoned with that reason instead of waiting on. Sleeping ones notice when they
// are woken (wakeAll).
void abandonWaits(const std::string& reason);
void wakeAll(const SharedArea& area);

// Sleep until the counter is at least `wanted`; storeAndWake ends such sleeps, in every process.
void waitUntilAtLeast(std::atomic<uint32_t>& counter, uint32_t wanted);
void storeAndWake(std::atomic<uint32_t>& counter, uint32_t value);

// All ranks of a side. A flag per rank in its own cache line; about 20 pauses, then sched_yield, as spinning with more
// ranks than cores costs whole scheduler ticks.
class Barrier {
 public:
  Barrier(const SharedArea& area, Side side, int rank);
  void wait();

 private:
  const std::function<void()>& meeting_;
  Flag* flags_;
  int nRanks_, rank_, pauses_;
  uint32_t epoch_ = 0;
};

}  // namespace ulysses::perf
