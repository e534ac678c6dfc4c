// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/survivors.h"

#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "fault/texts.h"

namespace ulysses::test {

int rankIn(ulyssesComm_t comm) {
  int rank = -1;
  return ulyssesCommUserRank(comm, &rank) == ulyssesSuccess ? rank : -1;
}

int sizeOf(ulyssesComm_t comm) {
  int nRanks = -1;
  return ulyssesCommCount(comm, &nRanks) == ulyssesSuccess ? nRanks : -1;
}

namespace {

/// Gathers one KV head that all ranks share, and adds what they hold of it: rank r holds r + 1 everywhere.
class SumCall {
 public:
  SumCall(int rank, int nRanks)
      : nRanks_(nRanks),
        input_(static_cast<std::size_t>(kTokens * nRanks * kHeadDim), static_cast<float>(rank + 1)),
        output_(static_cast<std::size_t>(kTokens * kHeadDim)) {}

  ulyssesResult_t call(ulyssesComm_t comm) {
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = kTokens * nRanks_;
    geometry.heads = nRanks_;
    geometry.kvHeads = 1;
    ulyssesTensor_t tensor = {};
    tensor.input = input_.data();
    tensor.output = output_.data();
    tensor.headDim = kHeadDim;
    tensor.dtype = ulyssesFloat32;
    tensor.kind = ulyssesTensorKv;
    tensor.flags = ULYSSES_TENSOR_SUM;
    return ulyssesGatherHeads(&geometry, &tensor, 1, comm, nullptr);
  }
  bool isRight() const {
    for (const float value : output_)
      if (value != static_cast<float>(nRanks_ * (nRanks_ + 1) / 2)) return false;
    return true;
  }

 private:
  static constexpr std::int64_t kTokens = 32, kHeadDim = 64;
  int nRanks_;
  std::vector<float> input_, output_;
};

template <typename Call>
ulyssesResult_t loop(const Rank& rank, Call&& call) {
  for (;;) {
    rank.own().timeNs.store(nowNs());
    const ulyssesResult_t result = call();
    if (result != ulyssesSuccess) {
      rank.own().timeNs.store(nowNs());
      return result;
    }
    rank.own().step.fetch_add(1);
  }
}

}  // namespace

const char* nameOf(Load load) {
  return load == Load::Registered ? "registered" : load == Load::Private ? "private" : "sum";
}

ulyssesResult_t loopUntilFailure(const Rank& rank, ulyssesComm_t comm, Load load) {
  if (load == Load::Sum) {
    SumCall sum(rank.rank(), rank.nRanks());
    return loop(rank, [&] {
      const ulyssesResult_t result = sum.call(comm);
      if (result == ulyssesSuccess) rank.expect(sum.isRight(), "wrong sums");
      return result;
    });
  }
  Trial trial(rank.rank(), rank.nRanks(), {.registered = load == Load::Registered});
  int round = 0;
  return loop(rank, [&] {
    trial.reset(round++);
    const ulyssesResult_t result = trial.call(comm);
    if (result == ulyssesSuccess) rank.expect(trial.isRight(), "wrong bytes in round " + std::to_string(round - 1));
    return result;
  });
}

void armPoint(const std::string& point, const std::string& action, int times) {
  setenv("ULYSSES_TEST_POINT", (point + ":" + action + ":" + std::to_string(times)).c_str(), 1);
}

std::string exchangeOn(ulyssesComm_t comm, bool registered) {
  Trial trial(rankIn(comm), sizeOf(comm), {.registered = registered});
  return trial.exchange(comm);
}

void goOnWithout(Rank& rank, ulyssesComm_t comm, int nLeft) {
  const std::int64_t start = nowNs();
  ulyssesComm_t made = nullptr;
  if (!rank.expectResult(ulyssesCommShrink(comm, nullptr, 0, &made, nullptr), ulyssesSuccess, "shrink")) return;
  rank.expect(sizeOf(made) == nLeft, "ranks left: " + std::to_string(sizeOf(made)));
  rank.expectNone(exchangeOn(made), "exchange of the survivors");
  rank.own().timeNs.store(nowNs() - start);
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  rank.expectResult(ulyssesCommDestroy(made), ulyssesSuccess, "destroy");
}

bool kernelTellsExits() {
  utsname name;
  int major = 0, minor = 0;
  return uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 15));
}

}  // namespace ulysses::test
