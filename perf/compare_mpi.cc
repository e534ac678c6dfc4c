// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What MPI users do today, in the helper's ranks: pack + MPI_Alltoall, and MPI_Alltoallw with derived datatypes.
// Tensors in private memory, as they have them; buffers are made once.
#include <mpi.h>

#include <algorithm>

#include "compare.h"
#include "mpi_types.h"
#include "packing.h"

namespace ulysses::perf {
namespace {

class MpiContender : public Contender {
 public:
  MpiContender(const Case& test, int rank) : Contender(test, rank), element_(mpiElementOf(test)) {
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      packings_.emplace_back(test, tensor, rank);
      inputs_.push_back(Buffer::plain(test.inputBytes(tensor, rank)));
      outputs_.push_back(Buffer::plain(test.outputBytes(tensor, rank)));
    }
  }

 protected:
  MpiElement element_;
  std::vector<Packing> packings_;  // [tensor], of this rank
};

// Counts and displacements of one tensor, in elements.
struct Counts {
  std::vector<int> send, sendAt, receive, receiveAt;
  int isEven;  // everybody's blocks are equal and follow each other: MPI_Alltoall will do
};

Counts countsOf(const Packing& packing, int nRanks, const MpiElement& element) {
  Counts counts{{}, {}, {}, {}, 1};
  for (int peer = 0; peer < nRanks; ++peer) {
    const Block out = packing.sendBlock(peer), in = packing.receiveBlock(peer);
    counts.send.push_back(mpiInt(out.bytes / element.bytes));
    counts.sendAt.push_back(mpiInt(out.offset / element.bytes));
    counts.receive.push_back(mpiInt(in.bytes / element.bytes));
    counts.receiveAt.push_back(mpiInt(in.offset / element.bytes));
    const int64_t even = peer * packing.sendBlock(0).bytes;
    const bool matches =
        out.bytes == packing.sendBlock(0).bytes && in.bytes == out.bytes && out.offset == even && in.offset == even;
    counts.isEven = counts.isEven && matches;
  }
  return counts;
}

class MpiPackContender : public MpiContender {
 public:
  MpiPackContender(const Case& test, int rank) : MpiContender(test, rank) {
    for (const Packing& packing : packings_) {
      packed_.push_back(Buffer::plain(packing.packedBytes()));
      received_.push_back(Buffer::plain(packing.receivedBytes()));
      counts_.push_back(countsOf(packing, test.ranks, element_));
      // All ranks must make the same call.
      MPI_Allreduce(MPI_IN_PLACE, &counts_.back().isEven, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    }
  }

  void exchange() override {
    for (size_t tensor = 0; tensor < packings_.size(); ++tensor) {
      const Packing& packing = packings_[tensor];
      const Counts& counts = counts_[tensor];
      if (packing.packs()) packing.pack(inputs_[tensor].data(), packed_[tensor].data());
      const std::byte* from = (packing.packs() ? packed_ : inputs_)[tensor].data();
      std::byte* to = (packing.unpacks() ? received_ : outputs_)[tensor].data();
      if (counts.isEven != 0) {
        MPI_Alltoall(from, counts.send[0], element_.type, to, counts.receive[0], element_.type, MPI_COMM_WORLD);
      } else {
        MPI_Alltoallv(from, counts.send.data(), counts.sendAt.data(), element_.type, to, counts.receive.data(),
                      counts.receiveAt.data(), element_.type, MPI_COMM_WORLD);
      }
      if (packing.unpacks()) packing.unpack(to, outputs_[tensor].data());
    }
  }

 private:
  std::vector<Buffer> packed_, received_;
  std::vector<Counts> counts_;
};

// One side of MPI_Alltoallw.
struct TypedBlocks {
  std::vector<MpiMoves> owned;
  std::vector<int> counts, displacements;
  std::vector<MPI_Datatype> types;

  void add(MpiMoves moves) {
    counts.push_back(moves.count());
    displacements.push_back(moves.displacement());
    types.push_back(moves.type());
    owned.push_back(std::move(moves));
  }
};

class MpiDatatypesContender : public MpiContender {
 public:
  MpiDatatypesContender(const Case& test, int rank) : MpiContender(test, rank) {
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      const Packing& packing = packings_[static_cast<size_t>(tensor)];
      const bool sums = test.tensors[static_cast<size_t>(tensor)].sum;
      received_.push_back(Buffer::plain(sums ? packing.receivedBytes() : 0));
      sends_.emplace_back();
      receives_.emplace_back();
      for (int peer = 0; peer < test.ranks; ++peer) {
        sends_.back().add(MpiMoves(movesBetween(test, tensor, rank, peer), MoveSide::kSource, element_));
        const Block block = packing.receiveBlock(peer);
        receives_.back().add(sums ? MpiMoves(block.offset, block.bytes, element_)  // partial values, added afterwards
                                  : MpiMoves(movesBetween(test, tensor, peer, rank), MoveSide::kTarget, element_));
      }
    }
  }

  void exchange() override {
    for (size_t tensor = 0; tensor < packings_.size(); ++tensor) {
      const TypedBlocks &send = sends_[tensor], &receive = receives_[tensor];
      const bool sums = test_.tensors[tensor].sum;
      std::byte* to = (sums ? received_ : outputs_)[tensor].data();
      MPI_Alltoallw(inputs_[tensor].data(), send.counts.data(), send.displacements.data(), send.types.data(), to,
                    receive.counts.data(), receive.displacements.data(), receive.types.data(), MPI_COMM_WORLD);
      if (sums) packings_[tensor].unpack(to, outputs_[tensor].data());
    }
  }

 private:
  std::vector<TypedBlocks> sends_, receives_;
  std::vector<Buffer> received_;
};

// The sizes of one rank may fit while another's do not: all give up together.
void checkFit(const Case& test, int rank, std::string& why) {
  try {
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      (void)countsOf(Packing(test, tensor, rank), test.ranks, mpiElementOf(test));
    }
  } catch (const RunError& error) {
    why = error.what();
  }
  int fits = why.empty() ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, &fits, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
  if (fits == 0 && why.empty()) why = "a count of another rank does not fit MPI's int";
}

}  // namespace

std::unique_ptr<Contender> makeMpiPack(const Case& test, int rank, std::string& why) {
  checkFit(test, rank, why);
  return why.empty() ? std::make_unique<MpiPackContender>(test, rank) : nullptr;
}

std::unique_ptr<Contender> makeMpiDatatypes(const Case& test, int rank, std::string& why) {
  checkFit(test, rank, why);
  return why.empty() ? std::make_unique<MpiDatatypesContender>(test, rank) : nullptr;
}

}  // namespace ulysses::perf
