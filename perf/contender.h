// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One way to make the exchange of a case: the library's, or one to compare it with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "buffer.h"
#include "case.h"
#include "options.h"
#include "shared.h"

namespace ulysses::perf {

class Contender {
 public:
  Contender(const Case& test, int rank) : test_(test), rank_(rank) {}
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;
  virtual ~Contender() = default;

  // The whole exchange: outputs are readable and peers have finished reading this rank's inputs, on return, or for one
  // that only enqueues after finish().
  virtual void exchange() = 0;
  virtual void finish() {}

  virtual void fill(uint64_t seed) const;
  virtual void poisonOutputs();
  virtual int64_t countWrong(uint64_t seed) const;
  virtual int64_t damagedGuardBytes() const;
  virtual void rewriteInputs() const;
  virtual void readOutputs() const;

  // The time of what is done between the two, finished: of the host, or of the GPU that does it.
  virtual void startClock();
  virtual double stopClockUs();

  // Lets go what it holds of its peers; they keep what is theirs until all have done so.
  virtual void release() {}

 protected:
  const Case& test_;
  const int rank_;
  std::vector<Buffer> inputs_, outputs_;  // one per tensor

 private:
  double startUs_ = 0;
};

// A contender's place in the shared area, in reports and in the order of turns.
struct ContenderInfo {
  std::string name;  // of this case: a floor names its kernel
  Side side;
};

// All contenders of a run, the library first; their indices are those of the shared area. The same in every process.
std::vector<ContenderInfo> contendersOf(const Options& options, const Case& test, bool withMpi);

// Which kernel the floor of this case uses, as chosen or by its bytes.
FloorKernel floorKernelOf(const Options& options, const Case& test);

}  // namespace ulysses::perf
