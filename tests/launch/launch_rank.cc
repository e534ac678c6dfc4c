// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One rank as users' programs are, started by a launcher: joins, exchanges, checks each element. Public header only.
//   launch_rank [--comms N] [--absent RANK] [--die RANK] [--leave RANK] [--split COLORS] [--shrink RANK]
// --comms: how many communicators it makes, one after another, the first ones kept. --absent: that rank sleeps, then
// ends well without making any. --die: that rank kills itself after joining; the others exchange until they are told.
// --leave: as --die, but it exits, well, without a word to the library. --split: exchanges in the rank's part, too, of
// so many. --shrink: as --die, and then the others go on without it. Prints "rank R of P by NAME: ok" and ends with 0,
// or the error, and ends with 1.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "ulysses_coll.h"

namespace {

constexpr int64_t kHeads = 8, kHeadDim = 16, kTokensPerRank = 3;

int64_t nowUs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

void require(ulyssesResult_t result, const char* call, ulyssesComm_t comm = nullptr) {
  if (result == ulyssesSuccess) return;
  std::fprintf(stderr, "%s: %s: %s\n", call, ulyssesGetErrorString(result), ulyssesGetLastError(comm));
  std::exit(1);
}

/// What an element of the whole tensor is.
int32_t valueOf(int64_t token, int64_t head, int64_t dim, int32_t salt) {
  return static_cast<int32_t>(((token * kHeads + head) * kHeadDim + dim) * 7 + salt);
}

/// The input of a rank: its tokens, all heads. KV heads are one, so its exchange reaches everybody. Ends the program
/// when an element is wrong.
ulyssesResult_t tryExchange(ulyssesComm_t comm, int rank, int nRanks, int32_t salt) {
  const int64_t heads = kHeads * nRanks, tokens = kTokensPerRank * nRanks;
  std::vector<int32_t> input(static_cast<size_t>(kTokensPerRank * heads * kHeadDim));
  std::vector<int32_t> output(static_cast<size_t>(tokens * kHeads * kHeadDim), -1);
  size_t at = 0;
  for (int64_t token = 0; token < kTokensPerRank; ++token)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t dim = 0; dim < kHeadDim; ++dim)
        input[at++] = valueOf(rank * kTokensPerRank + token, head, dim, salt);
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = tokens;
  geometry.batch = 1;
  geometry.heads = heads;
  ulyssesTensor_t tensor{};
  tensor.dtype = ulyssesInt32;
  tensor.headDim = kHeadDim;
  tensor.input = input.data();
  tensor.output = output.data();
  if (const ulyssesResult_t result = ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr)) return result;
  at = 0;
  for (int64_t token = 0; token < tokens; ++token)
    for (int64_t head = rank * kHeads; head < (rank + 1) * kHeads; ++head)
      for (int64_t dim = 0; dim < kHeadDim; ++dim, ++at) {
        const int32_t wanted = valueOf(token, head, dim, salt);
        if (output[at] == wanted) continue;
        std::fprintf(stderr, "rank %d token %lld head %lld: got %d, want %d\n", rank, static_cast<long long>(token),
                     static_cast<long long>(head), output[at], wanted);
        std::exit(1);
      }
  return ulyssesSuccess;
}

void exchange(ulyssesComm_t comm, int rank, int nRanks, int32_t salt) {
  require(tryExchange(comm, rank, nRanks, salt), "ulyssesScatterHeads", comm);
}

/// By all ranks of another communicator than the launcher's. Its size.
int exchangeAndDestroy(ulyssesComm_t comm) {
  int rank = -1, nRanks = -1;
  require(ulyssesCommUserRank(comm, &rank), "ulyssesCommUserRank");
  require(ulyssesCommCount(comm, &nRanks), "ulyssesCommCount");
  for (int32_t salt = 0; salt < 3; ++salt) exchange(comm, rank, nRanks, salt);
  require(ulyssesCommDestroy(comm), "ulyssesCommDestroy");
  return nRanks;
}

struct Options {
  int comms = 1, absent = -1, die = -1, leave = -1, split = 0, shrink = -1;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    int* const value = std::strcmp(argv[i], "--comms") == 0    ? &options.comms
                       : std::strcmp(argv[i], "--absent") == 0 ? &options.absent
                       : std::strcmp(argv[i], "--die") == 0    ? &options.die
                       : std::strcmp(argv[i], "--leave") == 0  ? &options.leave
                       : std::strcmp(argv[i], "--split") == 0  ? &options.split
                       : std::strcmp(argv[i], "--shrink") == 0 ? &options.shrink
                                                               : nullptr;
    if (!value) std::exit(2);
    *value = std::atoi(argv[i + 1]);
  }
  return options;
}

[[noreturn]] void exchangeUntilTold(ulyssesComm_t comm, const ulyssesLauncher_t& launcher, const Options& options) {
  exchange(comm, launcher.rank, launcher.nRanks, 0);
  if (launcher.rank == options.die) kill(getpid(), SIGKILL);
  if (launcher.rank == options.leave) std::exit(0);
  for (int i = 1; i < 1'000'000; ++i) exchange(comm, launcher.rank, launcher.nRanks, i);
  std::exit(3);
}

void split(ulyssesComm_t comm, int rank, int colors) {
  ulyssesComm_t part = nullptr;
  require(ulyssesCommSplit(comm, rank % colors, -rank, &part, nullptr), "ulyssesCommSplit", comm);
  std::printf("rank %d: one of %d after the split: ok\n", rank, exchangeAndDestroy(part));
}

void shrink(ulyssesComm_t comm, const ulyssesLauncher_t& launcher, int dying) {
  for (int i = 0; tryExchange(comm, launcher.rank, launcher.nRanks, i) == ulyssesSuccess; ++i)
    if (launcher.rank == dying) kill(getpid(), SIGKILL);
  const int64_t told = nowUs();
  ulyssesComm_t rest = nullptr;
  require(ulyssesCommShrink(comm, nullptr, 0, &rest, nullptr), "ulyssesCommShrink", comm);
  const int left = exchangeAndDestroy(rest);
  std::printf("rank %d: one of %d after the shrink: ok, %lld us after it was told\n", launcher.rank, left,
              static_cast<long long>(nowUs() - told));
  require(ulyssesCommDestroy(comm), "ulyssesCommDestroy");
  std::exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t started = nowUs();
  const Options options = parse(argc, argv);
  ulyssesLauncher_t launcher;
  require(ulyssesGetLauncher(&launcher), "ulyssesGetLauncher");
  if (launcher.rank == options.absent) {
    sleep(20);  // a rank that ends without a word can end the job before the others have noticed
    return 0;
  }
  std::vector<ulyssesComm_t> comms(static_cast<size_t>(options.comms));
  for (ulyssesComm_t& comm : comms) {
    require(ulyssesCommInitLauncher(&comm, nullptr), "ulyssesCommInitLauncher");
    int rank = -1, nRanks = -1;
    require(ulyssesCommUserRank(comm, &rank), "ulyssesCommUserRank");
    require(ulyssesCommCount(comm, &nRanks), "ulyssesCommCount");
    if (rank != launcher.rank || nRanks != launcher.nRanks) {
      std::fprintf(stderr, "communicator has rank %d of %d\n", rank, nRanks);
      return 1;
    }
  }
  const int64_t joined = nowUs();
  if (options.die >= 0 || options.leave >= 0) exchangeUntilTold(comms.front(), launcher, options);
  if (options.shrink >= 0) shrink(comms.front(), launcher, options.shrink);
  if (options.split > 0) split(comms.front(), launcher.rank, options.split);
  for (size_t i = 0; i < comms.size(); ++i) exchange(comms[i], launcher.rank, launcher.nRanks, static_cast<int32_t>(i));
  for (ulyssesComm_t comm : comms) require(ulyssesCommDestroy(comm), "ulyssesCommDestroy");
  const char* before = std::getenv("ULYSSES_TEST_START_US");  // when the launcher was started
  std::printf("rank %d of %d by %s: ok, local %d of %d, joined after %lld us, %lld us after the launcher's start\n",
              launcher.rank, launcher.nRanks, launcher.name, launcher.localRank, launcher.localRanks,
              static_cast<long long>(joined - started),
              before ? static_cast<long long>(joined) - std::atoll(before) : -1LL);
  return 0;
}
