// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/reach.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/check.h"
#include "base/fault_point.h"
#include "comm/nics.h"
#include "path/board.h"
#include "path/shm/memfd.h"
#include "path/shm/shm_path.h"
#ifdef ULYSSES_HAVE_UCX
#include "path/ucx/ucx_path.h"
#endif

namespace ulysses {
namespace {

/// A board's file and how long it is.
struct BoardFile {
  UniqueFd fd;
  size_t bytes;
};

BoardFile makeBoard(const Board::Options& options) {
  BoardFile file{createMemfd("ulysses-board", Board::bytesFor(options)), Board::bytesFor(options)};
  const Mapping mapping(file.fd.get(), 0, file.bytes, PROT_READ | PROT_WRITE);
  Board::format(mapping.data(), options);
  return file;
}

std::shared_ptr<Mapping> mapBoard(const BoardFile& file) {
  return std::make_shared<Mapping>(file.fd.get(), 0, file.bytes, PROT_READ | PROT_WRITE);
}

/// As long as its file is, whatever the message says.
std::shared_ptr<Mapping> mapReceivedBoard(ReceivedMessage&& received) {
  struct stat file {};
  if (fstat(received.fd.get(), &file) != 0) raiseErrno("fstat of the board");
  return mapBoard({std::move(received.fd), static_cast<size_t>(file.st_size)});
}

/// The first of the host's ranks makes the board and hands it to the others over the mesh.
std::shared_ptr<Mapping> giveBoard(std::span<const int> ranks, const Board::Options& options,
                                   const std::vector<std::unique_ptr<ShmPeer>>& peers, Deadline deadline) {
  const BoardFile file = makeBoard(options);
  faultPoint("init.board_made");
  const FdMessage message{.kind = FdMessage::Kind::Board, .bytes = file.bytes};
  for (const int peer : ranks.subspan(1))
    if (sendMessage(peers[static_cast<size_t>(peer)]->socket(), message, file.fd.get(), deadline) != Result::Success)
      raise(Result::RemoteLost, "rank {} left while the communicator was being made", peer);
  faultPoint("init.board_shared");
  return mapBoard(file);
}

std::shared_ptr<Mapping> takeBoard(const Membership& membership, const ShmPeer& maker, Deadline deadline) {
  pollfd board{maker.socket(), POLLIN, 0};
  while (poll(&board, 1, deadline.leftMs(20)) <= 0 && !deadline.passed()) membership.watch();
  auto received = receiveMessage(maker.socket(), deadline);
  if (received && received->fdRefused)
    raiseErrno(formatText("receiving the descriptor of rank {}'s board", maker.rank()).c_str(), EMFILE);
  if (!received || !received->fd || received->message.kind != FdMessage::Kind::Board)
    raise(
        deadline.passed() ? Result::Timeout : Result::RemoteLost,
        "rank {} ({}) did not share its board: it left or failed while the communicator was being made; see its error",
        maker.rank(), maker.pidText());
  return mapReceivedBoard(std::move(*received));
}

PathChoice choiceOf(const Membership& membership) {
  return static_cast<PathChoice>(membership.ranks.front().pathChoice);
}

/// Which host each rank is on: the lowest rank that it shares memory with.
std::vector<int> hostsOf(const Membership& membership) {
  std::vector<int> hosts, leaders;
  for (const RankInfo& info : membership.ranks) {
    const auto isHere = [&](int leader) { return onOneHost(membership.ranks[static_cast<size_t>(leader)], info); };
    const auto at = choiceOf(membership) == PathChoice::Ucx ? leaders.end() : std::ranges::find_if(leaders, isHere);
    hosts.push_back(at == leaders.end() ? info.rank : *at);
    if (hosts.back() == info.rank) leaders.push_back(info.rank);
  }
  return hosts;
}

/// Ranks that this one shares memory with, itself included, ascending.
std::vector<int> neighboursOf(std::span<const int> hosts, int rank) {
  std::vector<int> ranks;
  for (int each = 0; each < std::ssize(hosts); ++each)
    if (hosts[static_cast<size_t>(each)] == hosts[static_cast<size_t>(rank)]) ranks.push_back(each);
  return ranks;
}

/// One size at all ranks, whatever path a chunk takes: the summands of a KV head must be cut alike.
int64_t chunkBytesOf(const Membership& membership, std::span<const int> hosts) {
  const int64_t stagingBytes = membership.ranks.front().stagingBytes;
  std::vector<int> seats(hosts.size());
  for (const int host : hosts) ++seats[static_cast<size_t>(host)];
  int64_t bytes = ShmPath::chunkBytesFor(stagingBytes, std::ranges::max(seats));
#ifdef ULYSSES_HAVE_UCX
  if (needsContacts(membership.ranks))
    bytes = std::min(bytes, UcxPath::chunkBytesFor(stagingBytes, static_cast<int>(std::ssize(hosts))));
#endif
  return bytes;
}

std::unique_ptr<ShmPath> reachNeighbours(const Membership& membership, std::span<const int> ranks, int64_t chunkBytes,
                                         int rank, Deadline deadline, std::vector<std::unique_ptr<ShmPeer>>& peers) {
  const RankInfo& first = membership.ranks.front();
  const auto nSeats = static_cast<int32_t>(ranks.size());
  const Board::Options options{.nRanks = static_cast<int32_t>(std::ssize(membership.ranks)),
                               .stagingBytes = ShmPath::stagingBytesFor(chunkBytes, nSeats),
                               .verify = first.verify != 0,
                               .nSeats = nSeats};
  auto board = rank == ranks.front() ? giveBoard(ranks, options, peers, deadline)
                                     : takeBoard(membership, *peers[static_cast<size_t>(ranks.front())], deadline);
  return std::make_unique<ShmPath>(std::move(board), rank, std::move(peers), ranks);
}

Crossing crossingOf(const Membership& membership) { return static_cast<Crossing>(membership.ranks.front().crossing); }

/// Whether ranks pass on what crosses. Seals are of what each rank sends each, so not where ranks verify.
bool passesOn(const Membership& membership) {
  return crossingOf(membership) != Crossing::Flat && membership.ranks.front().verify == 0 &&
         needsContacts(membership.ranks);
}

#ifdef ULYSSES_HAVE_UCX
/// A context of these devices. Where UCX cannot make it of them, they are named.
std::unique_ptr<UcxWorker> openWorker(const NicChoice& nics) {
  try {
    return std::make_unique<UcxWorker>(UcxContext::shared(joinedNames(nics.allowed)));
  } catch (const Error& error) {
    if (!nics.isRestricted()) throw;
    raise(error.result(), "{}; it was given the network devices {} ({}): ULYSSES_NET_DEVICES=any gives it all",
          error.what(), joinedNames(nics.allowed), nics.reason);
  }
}

std::unique_ptr<Path> reachOtherHosts(const Membership& membership, std::span<const int> hosts, int64_t chunkBytes,
                                      int rank, const NicChoice& nics, std::shared_ptr<std::atomic<uint64_t>> ballot) {
  auto worker = openWorker(nics);
  auto addresses = membership.exchangeContacts(worker->address());
  faultPoint("init.contacts");
  std::vector<UcxPath::Contact> contacts;
  for (const RankInfo& info : membership.ranks) {
    auto& address = addresses[static_cast<size_t>(info.rank)];
    const bool isHere = hosts[static_cast<size_t>(info.rank)] == hosts[static_cast<size_t>(rank)];
    if (isHere) address.clear();
    contacts.push_back({info.host, info.pid, std::move(address)});
  }
  const char* reason = choiceOf(membership) == PathChoice::Ucx ? "ULYSSES_PATH=ucx at rank 0" : "different hosts";
  return std::make_unique<UcxPath>(std::move(worker),
                                   UcxPath::Options{.rank = rank,
                                                    .chunkBytes = chunkBytes,
                                                    .verify = membership.ranks.front().verify != 0,
                                                    .sendsInPlace = !UcxContext::registersMemory(),
                                                    .reason = reason,
                                                    .ballot = std::move(ballot)},
                                   std::move(contacts));
}
#else
std::unique_ptr<Path> reachOtherHosts(const Membership&, std::span<const int>, int64_t, int, const NicChoice&,
                                      std::shared_ptr<std::atomic<uint64_t>>) {
  raise(Result::InternalError, "requireReachable() has not looked");
}
#endif

std::string hostText(const RankInfo& info) { return formatText("rank {} is on host {}", info.rank, info.host); }

}  // namespace

Routes Routes::over(std::unique_ptr<Path> path, int rank, int nRanks) {
  Routes routes;
  routes.byRank.assign(static_cast<size_t>(nRanks), path.get());
  routes.byRank[static_cast<size_t>(rank)] = nullptr;
  routes.ranksHere = nRanks;
  if (path) routes.paths.push_back(std::move(path));
  return routes;
}

std::shared_ptr<Mapping> makeOwnBoard(int nRanks, const Settings& settings) {
  return mapBoard(makeBoard({.nRanks = nRanks, .stagingBytes = settings.stagingBytes, .verify = settings.verify}));
}

void requireReachable(const Membership& membership) {
  const RankInfo& first = membership.ranks.front();
  const auto other =
      std::ranges::find_if(membership.ranks, [&](const RankInfo& info) { return !onOneHost(first, info); });
  const bool isSpread = other != membership.ranks.end();
  if (isSpread && choiceOf(membership) == PathChoice::Shm)
    raise(Result::NotSupported,
          "{}, {}, where shared memory does not reach, and rank 0 has ULYSSES_PATH=shm: unset it, or start all ranks "
          "on one host and in one network namespace",
          hostText(first), hostText(*other));
#ifndef ULYSSES_HAVE_UCX
  if (needsContacts(membership.ranks))
    raise(Result::NotSupported, "{}, {}: exchanges between them need UCX, which this library was built without",
          hostText(first), hostText(isSpread ? *other : membership.ranks.back()));
#endif
}

Routes reachPeers(const Membership& membership, MeshListener& listener, int rank, const NicRequest& nics,
                  Deadline deadline, std::vector<std::unique_ptr<ShmPeer>>& peers) {
  const std::vector<int> hosts = hostsOf(membership), neighbours = neighboursOf(hosts, rank);
  const int64_t chunkBytes = chunkBytesOf(membership, hosts);
  Routes routes;
  routes.byRank.resize(membership.ranks.size());
  routes.ranksHere = static_cast<int>(neighbours.size());
  if (passesOn(membership)) {
    routes.hosts = hosts;
    routes.crossing = crossingOf(membership);
  }
  auto ballot = std::make_shared<std::atomic<uint64_t>>(0);  // of groups that this rank heads
  listener.connect(membership, neighbours, rank, deadline, peers);
  faultPoint("init.connected");
  if (neighbours.size() > 1) {
    auto path = reachNeighbours(membership, neighbours, chunkBytes, rank, deadline, peers);
    ballot = path->ballotWord();
    routes.paths.push_back(std::move(path));
    for (const int peer : neighbours) routes.byRank[static_cast<size_t>(peer)] = routes.paths.back().get();
  }
  if (needsContacts(membership.ranks)) {
    routes.nics = nicsOf(membership, rank, nics);
    routes.paths.push_back(reachOtherHosts(membership, hosts, chunkBytes, rank, *routes.nics, std::move(ballot)));
    for (Path*& path : routes.byRank)
      if (!path) path = routes.paths.back().get();
  }
  routes.byRank[static_cast<size_t>(rank)] = nullptr;
  return routes;
}

}  // namespace ulysses
