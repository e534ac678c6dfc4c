// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "ranks.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <thread>

#include "path/self/self_path.h"
#include "path/shm/memfd.h"
#include "path/shm/shm_path.h"
#ifdef ULYSSES_HAVE_UCX
#include "path/ucx/ucx_path.h"
#endif

namespace ulysses::test {
namespace {

constexpr std::int64_t kStagingBytes = 1 << 15;
constexpr unsigned kLongestSeconds = 90;  // a process that hangs is ended by SIGALRM

std::shared_ptr<Mapping> makeBoard(int nRanks) {
  const std::size_t bytes = Board::bytesFor({.nRanks = nRanks, .stagingBytes = kStagingBytes});
  const UniqueFd fd = createMemfd("board", bytes);
  auto memory = std::make_shared<Mapping>(fd.get(), 0, bytes, PROT_READ | PROT_WRITE);
  Board::format(memory->data(), {.nRanks = nRanks, .stagingBytes = kStagingBytes});
  return memory;
}

/// A meeting in memory that survives fork as shared.
struct SharedMeeting {
  UniqueFd fd = createMemfd("meeting", 4096);
  Mapping memory{fd.get(), 0, 4096, PROT_READ | PROT_WRITE};
  Meeting* meeting = new (memory.data()) Meeting;
};

/// One socket for each ordered pair: [rank][peer] is the rank's end.
using Sockets = std::vector<std::vector<UniqueFd>>;

Sockets makeSockets(int nRanks) {
  Sockets sockets(static_cast<std::size_t>(nRanks));
  for (auto& row : sockets) row.resize(static_cast<std::size_t>(nRanks));
  for (std::size_t a = 0; a < sockets.size(); ++a)
    for (std::size_t b = a + 1; b < sockets.size(); ++b) {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) raiseErrno("socketpair");
      sockets[a][b] = UniqueFd(ends[0]);
      sockets[b][a] = UniqueFd(ends[1]);
    }
  return sockets;
}

std::unique_ptr<Path> makeShmPath(const std::shared_ptr<Mapping>& board, int rank, Sockets sockets,
                                  const Meeting& meeting) {
  const auto self = static_cast<std::size_t>(rank);
  std::vector<std::unique_ptr<ShmPeer>> peers(sockets.size());
  for (std::size_t peer = 0; peer < sockets.size(); ++peer)
    if (peer != self)
      peers[peer] =
          std::make_unique<ShmPeer>(static_cast<int>(peer), meeting.pids[peer].load(), std::move(sockets[self][peer]));
  return std::make_unique<ShmPath>(board, rank, std::move(peers));  // the ends of others close with `sockets`
}

/// The whole of one child; whether it went well. `makePath` is called when the pids of all are known.
template <typename MakePath>
bool runChild(int nRanks, int rank, Board* board, Meeting& meeting, const Scenario& scenario, MakePath&& makePath) {
  alarm(kLongestSeconds);
  try {
    meeting.pids[rank].store(getpid());
    if (!meeting.meet(nRanks)) return false;
    RankContext context{makePath(rank), rank, nRanks, &meeting, board};
    scenario(context);
  } catch (const std::exception& error) {
    ADD_FAILURE() << "rank " << rank << " threw: " << error.what();
  }
  return !testing::Test::HasFailure();
}

void expectEnd(pid_t child, int rank, bool killed) {
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (killed)
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "rank " << rank << ": status " << status;
  else
    EXPECT_EQ(status, 0) << "rank " << rank << " failed (its own output is above), or was ended by a signal";
}

}  // namespace

void runThreads(int nRanks, const Scenario& scenario) {
  const auto memory = makeBoard(nRanks);
  Board board(memory->data(), memory->bytes());
  const SharedMeeting shared;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < nRanks; ++rank)
    threads.emplace_back([&, rank] {
      RankContext context{std::make_unique<SelfPath>(memory, rank), rank, nRanks, shared.meeting, &board};
      try {
        scenario(context);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << rank << " threw: " << error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
}

namespace {

/// Forks the ranks; each ends as run(rank) says.
template <typename Run>
std::vector<pid_t> forkRanks(int nRanks, Run&& run) {
  std::fflush(nullptr);  // or the children would print it again
  std::vector<pid_t> children;
  for (int rank = 0; rank < nRanks; ++rank) {
    const pid_t child = fork();
    EXPECT_GE(child, 0);
    if (child == 0) {
      const bool good = run(rank);
      std::fflush(nullptr);
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  return children;
}

}  // namespace

void runProcesses(int nRanks, const Scenario& scenario, int killed) {
  const auto memory = makeBoard(nRanks);
  const SharedMeeting shared;
  Sockets sockets = makeSockets(nRanks);
  const auto children = forkRanks(nRanks, [&](int rank) {
    Board board(memory->data(), memory->bytes());
    return runChild(nRanks, rank, &board, *shared.meeting, scenario,
                    [&](int own) { return makeShmPath(memory, own, std::move(sockets), *shared.meeting); });
  });
  sockets.clear();
  for (int rank = 0; rank < nRanks; ++rank) expectEnd(children[static_cast<std::size_t>(rank)], rank, rank == killed);
}

#ifdef ULYSSES_HAVE_UCX
namespace {

/// The workers' addresses, in memory that the ranks share.
struct Addresses {
  struct Entry {
    std::size_t bytes;
    std::byte address[4096 - sizeof(std::size_t)];
  };
  UniqueFd fd = createMemfd("addresses", sizeof(Entry) * kMostRanks);
  Mapping memory{fd.get(), 0, sizeof(Entry) * kMostRanks, PROT_READ | PROT_WRITE};
  Entry& of(int rank) { return reinterpret_cast<Entry*>(memory.data())[rank]; }
};

std::unique_ptr<Path> makeUcxPath(int rank, int nRanks, Addresses& addresses, Meeting& meeting) {
  auto worker = std::make_unique<UcxWorker>();
  const auto own = worker->address();
  addresses.of(rank).bytes = own.size();
  std::copy(own.begin(), own.end(), addresses.of(rank).address);
  if (!meeting.meet(nRanks)) throw std::runtime_error("a rank has no UCX worker");
  std::vector<UcxPath::Contact> contacts;
  for (int peer = 0; peer < nRanks; ++peer) {
    const Addresses::Entry& entry = addresses.of(peer);
    contacts.push_back({"host" + std::to_string(peer), meeting.pids[peer].load(),
                        std::vector(entry.address, entry.address + entry.bytes)});
  }
  constexpr std::int64_t kChunkBytes = 8192;
  return std::make_unique<UcxPath>(std::move(worker),
                                   UcxPath::Options{.rank = rank,
                                                    .chunkBytes = kChunkBytes,
                                                    .verify = false,
                                                    .sendsInPlace = true,
                                                    .reason = "different hosts",
                                                    .ballot = std::make_shared<std::atomic<std::uint64_t>>(0)},
                                   std::move(contacts));
}

}  // namespace

void runUcx(int nRanks, const Scenario& scenario, int killed) {
  const SharedMeeting shared;
  Addresses addresses;
  const auto children = forkRanks(nRanks, [&](int rank) {
    return runChild(nRanks, rank, nullptr, *shared.meeting, scenario,
                    [&](int own) { return makeUcxPath(own, nRanks, addresses, *shared.meeting); });
  });
  for (int rank = 0; rank < nRanks; ++rank) expectEnd(children[static_cast<std::size_t>(rank)], rank, rank == killed);
}
#endif

}  // namespace ulysses::test
