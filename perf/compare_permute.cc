// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "compare.h"
#include "packing.h"

namespace ulysses::perf {
namespace {

// Inputs, outputs, send buffers, receive buffers: the order of indices in SharedTensors.
std::vector<std::vector<int64_t>> permuteSizes(const Case& test) {
  std::vector<std::vector<int64_t>> sizes(static_cast<size_t>(test.ranks));
  for (int rank = 0; rank < test.ranks; ++rank) {
    std::vector<int64_t>& own = sizes[static_cast<size_t>(rank)];
    std::vector<int64_t> packed, received;
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      const Packing packing(test, tensor, rank);
      packed.push_back(packing.packedBytes());
      received.push_back(packing.receivedBytes());
    }
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) own.push_back(test.inputBytes(tensor, rank));
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) own.push_back(test.outputBytes(tensor, rank));
    own.insert(own.end(), packed.begin(), packed.end());
    own.insert(own.end(), received.begin(), received.end());
  }
  return sizes;
}

class PermuteContender : public Contender {
 public:
  PermuteContender(const Options& options, const Case& test, int rank, const SharedStorage& storage, Barrier& barrier)
      : Contender(test, rank),
        barrier_(barrier),
        shared_(storage, options.compareFloor ? floorStripeBytes(test) : 0, permuteSizes(test)) {
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      inputs_.push_back(shared_.buffer(rank, tensor));
      outputs_.push_back(shared_.buffer(rank, test.nTensors() + tensor));
      packed_.push_back(shared_.buffer(rank, 2 * test.nTensors() + tensor));
      received_.push_back(shared_.buffer(rank, 3 * test.nTensors() + tensor));
      for (int peer = 0; peer < test.ranks; ++peer) packings_.emplace_back(test, tensor, peer);
    }
  }

  void exchange() override {
    for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
      const auto at = static_cast<size_t>(tensor);
      if (packing(tensor, rank_).packs()) packing(tensor, rank_).pack(inputs_[at].data(), packed_[at].data());
    }
    barrier_.wait();  // every block is ready
    for (int tensor = 0; tensor < test_.nTensors(); ++tensor) copyBlocks(tensor);
    barrier_.wait();  // every peer has read this rank's blocks
    for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
      const auto at = static_cast<size_t>(tensor);
      if (packing(tensor, rank_).unpacks()) packing(tensor, rank_).unpack(received_[at].data(), outputs_[at].data());
    }
  }

 private:
  const Packing& packing(int tensor, int rank) const {
    return packings_[static_cast<size_t>(tensor) * static_cast<size_t>(test_.ranks) + static_cast<size_t>(rank)];
  }

  void copyBlocks(int tensor) {
    const Packing& own = packing(tensor, rank_);
    std::byte* target = (own.unpacks() ? received_ : outputs_)[static_cast<size_t>(tensor)].data();
    const int sourceIndex = own.packs() ? 2 * test_.nTensors() + tensor : tensor;
    for (int i = 0; i < test_.ranks; ++i) {
      const int sender = (rank_ + i) % test_.ranks;
      const Block from = packing(tensor, sender).sendBlock(rank_), to = own.receiveBlock(sender);
      std::memcpy(target + to.offset, shared_.data(sender, sourceIndex) + from.offset, static_cast<size_t>(to.bytes));
    }
  }

  Barrier& barrier_;
  SharedTensors shared_;
  std::vector<Buffer> packed_, received_;
  std::vector<Packing> packings_;  // [tensor][rank]
};

}  // namespace

int64_t permuteStripeBytes(const Case& test) { return SharedTensors::stripeBytes(permuteSizes(test)); }

std::unique_ptr<Contender> makePermute(const Options& options, const Case& test, int rank, const SharedStorage& storage,
                                       Barrier& barrier) {
  return std::make_unique<PermuteContender>(options, test, rank, storage, barrier);
}

}  // namespace ulysses::perf
