// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "compare.h"
#include "copy_rows.h"
#include "moves.h"
#include "verify.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kLongRowBytes = 64 * 1024;

// How many ranks share one KV head of a summed tensor; their partial values go to as many places.
int replicasOf(const Case& test, int tensor) {
  size_t most = 1;
  if (test.tensors[static_cast<size_t>(tensor)].sum) {
    for (int64_t head = 0; head < test.fullHeads(tensor); ++head)
      most = std::max(most, test.holders(tensor, head).size());
  }
  return static_cast<int>(most);
}

// Inputs, outputs, then further places for partial values: the order of indices in SharedTensors.
std::vector<std::vector<int64_t>> floorSizes(const Case& test) {
  std::vector<std::vector<int64_t>> sizes(static_cast<size_t>(test.ranks));
  for (int rank = 0; rank < test.ranks; ++rank) {
    std::vector<int64_t>& own = sizes[static_cast<size_t>(rank)];
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) own.push_back(test.inputBytes(tensor, rank));
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) own.push_back(test.outputBytes(tensor, rank));
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      own.insert(own.end(), static_cast<size_t>(replicasOf(test, tensor) - 1), test.outputBytes(tensor, rank));
    }
  }
  return sizes;
}

class FloorContender : public Contender {
 public:
  FloorContender(const Options& options, const Case& test, int rank, const SharedStorage& storage, Barrier& barrier)
      : Contender(test, rank),
        barrier_(barrier),
        kernel_(copyKernel(floorKernelOf(options, test))),
        shared_(storage, 0, floorSizes(test)) {
    int place = 2 * test.nTensors();
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      inputs_.push_back(shared_.buffer(rank, tensor));
      outputs_.push_back(shared_.buffer(rank, test.nTensors() + tensor));
      partials_.emplace_back();
      for (int replica = 1; replica < replicasOf(test, tensor); ++replica) {
        partials_.back().push_back(shared_.buffer(rank, place++));
      }
    }
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) addWork(tensor);
  }

  void exchange() override {
    barrier_.wait();  // every input is ready
    for (const Work& work : work_) {
      if (work.isMerge) {
        kernel_.merge(work.streams.data(), static_cast<int64_t>(work.streams.size()), work.rows);
      } else {
        kernel_.copy(work.streams.front(), work.rows);
      }
    }
    kernel_.fence();
    barrier_.wait();  // every peer has read this rank's inputs
  }

  // The sum is not made: each partial value must lie in its own place.
  int64_t countWrong(uint64_t seed) const override {
    int64_t wrong = 0;
    for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
      const auto at = static_cast<size_t>(tensor);
      if (!test_.tensors[at].sum) {
        wrong += perf::countWrong(test_, tensor, rank_, seed, outputs_[at].data());
        continue;
      }
      wrong += countWrongPartial(test_, tensor, rank_, seed, 0, outputs_[at].data());
      for (size_t i = 0; i < partials_[at].size(); ++i) {
        wrong += countWrongPartial(test_, tensor, rank_, seed, static_cast<int>(i + 1), partials_[at][i].data());
      }
    }
    return wrong;
  }

 private:
  struct Work {
    std::vector<RowStream> streams;
    int64_t rows;
    bool isMerge;
  };

  void addWork(int tensor);
  void addCopies(int tensor, int sender, const Move& move);
  bool addMerges(int tensor, const std::vector<std::vector<Move>>& moves);
  std::byte* target(int tensor, int sender, int64_t head) const;

  Barrier& barrier_;
  CopyKernel kernel_;
  SharedTensors shared_;
  std::vector<std::vector<Buffer>> partials_;  // [tensor][replica - 1]
  std::vector<Work> work_;
};

// Where what `sender` holds of a head goes: the output, or a place for further partial values.
std::byte* FloorContender::target(int tensor, int sender, int64_t head) const {
  const auto at = static_cast<size_t>(tensor);
  if (partials_[at].empty()) return outputs_[at].data();
  const std::vector<int> holders = test_.holders(tensor, head);
  const auto replica = static_cast<size_t>(std::find(holders.begin(), holders.end(), sender) - holders.begin());
  return replica == 0 ? outputs_[at].data() : partials_[at][replica - 1].data();
}

void FloorContender::addWork(int tensor) {
  std::vector<std::vector<Move>> moves;  // by sender
  moves.reserve(static_cast<size_t>(test_.ranks));
  for (int sender = 0; sender < test_.ranks; ++sender) moves.push_back(movesBetween(test_, tensor, sender, rank_));
  if (test_.op == ulyssesOpGatherHeads && addMerges(tensor, moves)) return;
  for (int i = 0; i < test_.ranks; ++i) {
    const int sender = (rank_ + i) % test_.ranks;  // its own share first, then each peer from another one
    for (const Move& move : moves[static_cast<size_t>(sender)]) addCopies(tensor, sender, move);
  }
}

void FloorContender::addCopies(int tensor, int sender, const Move& move) {
  std::byte* to = target(tensor, sender, move.firstHead) + move.target;
  const std::byte* from = shared_.data(sender, tensor) + move.source;
  for (int64_t plane = 0; plane < move.planes; ++plane, to += move.targetPlane, from += move.sourcePlane) {
    if (move.bytes < kLongRowBytes) {
      work_.push_back({{{to, from, move.targetRow, move.sourceRow, move.bytes}}, move.rows, false});
      continue;
    }
    for (int64_t row = 0; row < move.rows; ++row) {  // a long run is rows of a page each
      std::byte* rowTo = to + row * move.targetRow;
      const std::byte* rowFrom = from + row * move.sourceRow;
      const int64_t pages = move.bytes / kPageBytes, rest = move.bytes % kPageBytes, done = pages * kPageBytes;
      work_.push_back({{{rowTo, rowFrom, kPageBytes, kPageBytes, kPageBytes}}, pages, false});
      if (rest > 0) work_.push_back({{{rowTo + done, rowFrom + done, 0, 0, rest}}, 1, false});
    }
  }
}

// Gather: a row of the output comes in pieces, one from each sender. Writing it in order, from all senders in turn, is
// what the streamed stores want. False where senders' rows do not match (uneven heads in a layout with long runs).
bool FloorContender::addMerges(int tensor, const std::vector<std::vector<Move>>& moves) {
  const std::vector<Move>& first = moves.front();
  for (const std::vector<Move>& ofSender : moves) {
    if (ofSender.size() != first.size()) return false;
    for (size_t i = 0; i < first.size(); ++i) {
      if (ofSender[i].rows != first[i].rows || ofSender[i].planes != first[i].planes) return false;
      if (ofSender[i].bytes >= kLongRowBytes) return false;
    }
  }
  for (size_t i = 0; i < first.size(); ++i) {
    for (int64_t plane = 0; plane < first[i].planes; ++plane) {
      Work work{{}, first[i].rows, true};
      for (int sender = 0; sender < test_.ranks; ++sender) {
        const Move& move = moves[static_cast<size_t>(sender)][i];
        work.streams.push_back({target(tensor, sender, move.firstHead) + move.target + plane * move.targetPlane,
                                shared_.data(sender, tensor) + move.source + plane * move.sourcePlane, move.targetRow,
                                move.sourceRow, move.bytes});
      }
      work_.push_back(std::move(work));
    }
  }
  return true;
}

}  // namespace

int64_t floorStripeBytes(const Case& test) { return SharedTensors::stripeBytes(floorSizes(test)); }

std::unique_ptr<Contender> makeFloor(const Options& options, const Case& test, int rank, const SharedStorage& storage,
                                     Barrier& barrier) {
  return std::make_unique<FloorContender>(options, test, rank, storage, barrier);
}

}  // namespace ulysses::perf
