// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How communicators come to be.
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/bootstrap/line.h"
#include "comm/communicator.h"
#include "comm/mesh.h"
#include "path/self/self_path.h"
#include "path/shm/memfd.h"
#include "path/shm/shm_path.h"
#include "topo/host.h"

namespace ulysses {
namespace {

constexpr size_t kLongestName = 31;

std::string nameFor(const Settings& settings, uint64_t tag) {
  return settings.name.empty() ? formatText("{:08x}", tag & 0xffffffff) : settings.name.substr(0, kLongestName);
}

/// A board's file and how long it is.
struct BoardFile {
  UniqueFd fd;
  size_t bytes;
};

BoardFile makeBoard(int nRanks, const Settings& settings) {
  const Board::Options options{nRanks, settings.stagingBytes, settings.verify};
  BoardFile file{createMemfd("ulysses-board", Board::bytesFor(options)), Board::bytesFor(options)};
  const Mapping mapping(file.fd.get(), 0, file.bytes, PROT_READ | PROT_WRITE);
  Board::format(mapping.data(), options);
  return file;
}

std::shared_ptr<Mapping> mapBoard(const BoardFile& file) {
  return std::make_shared<Mapping>(file.fd.get(), 0, file.bytes, PROT_READ | PROT_WRITE);
}

/// That of rank 0, whose options hold for the group; as long as its file is, whatever the message says.
std::shared_ptr<Mapping> mapBoardOfRoot(ReceivedMessage&& received) {
  struct stat file {};
  if (fstat(received.fd.get(), &file) != 0) raiseErrno("fstat of the board");
  return mapBoard({std::move(received.fd), static_cast<size_t>(file.st_size)});
}

/// Rank 0 makes the board and hands it to the others over the mesh.
std::shared_ptr<Mapping> shareBoard(const Membership& membership, int rank, const Settings& settings,
                                    const std::vector<std::unique_ptr<ShmPeer>>& peers, Deadline deadline) {
  const int nRanks = static_cast<int>(membership.ranks.size());
  if (rank == 0) {
    const BoardFile file = makeBoard(nRanks, settings);
    faultPoint("init.board_made");
    const FdMessage message{.kind = FdMessage::Kind::Board, .bytes = file.bytes};
    for (int peer = 1; peer < nRanks; ++peer)
      if (sendMessage(peers[static_cast<size_t>(peer)]->socket(), message, file.fd.get(), deadline) != Result::Success)
        raise(Result::RemoteLost, "rank {} left while the communicator was being made", peer);
    faultPoint("init.board_shared");
    return mapBoard(file);
  }
  pollfd board{peers[0]->socket(), POLLIN, 0};
  while (poll(&board, 1, deadline.leftMs(20)) <= 0 && !deadline.passed()) membership.watch();
  auto received = receiveMessage(peers[0]->socket(), deadline);
  if (received && received->fdRefused) raiseErrno("receiving the descriptor of rank 0's board", EMFILE);
  if (!received || !received->fd || received->message.kind != FdMessage::Kind::Board)
    raise(deadline.passed() ? Result::Timeout : Result::RemoteLost,
          "rank 0 ({}) did not share its board: it left or failed while the communicator was being made; see its error",
          peers[0]->pidText());
  return mapBoardOfRoot(std::move(*received));
}

RankInfo ownInfo(int rank, int nRanks, const Settings& settings, const HostId& host, const std::string& meshName) {
  RankInfo info;
  info.rank = rank;
  info.nRanks = nRanks;
  info.pid = getpid();
  info.libraryVersion = settings.libraryVersion;
  info.recordVersion = kWireVersion;
  info.bootId = host.bootId;
  info.networkId = host.networkId;
  info.initTimeoutMs = settings.initTimeoutMs;
  copyText(info.host, host.name);
  copyText(info.meshName, meshName);
  return info;
}

/// All ranks look at the same table, so they come to the same end.
void requireOneHost(const Membership& membership) {
  const RankInfo& first = membership.ranks.front();
  for (const RankInfo& info : membership.ranks) {
    if (info.bootId != first.bootId)
      raise(Result::NotSupported,
            "rank {} is on host {}, rank {} on host {}: exchanges between hosts are not built yet", first.rank,
            first.host, info.rank, info.host);
    if (info.networkId != first.networkId)
      raise(Result::NotSupported,
            "rank {} (host {}) and rank {} (host {}) are on one machine, in different network namespaces, where local "
            "sockets do not reach: give their containers one network (docker: --network=host or container:NAME; "
            "Kubernetes: one pod, or hostNetwork)",
            first.rank, first.host, info.rank, info.host);
  }
}

/// The rendezvous ended, and the communicator with it. When a rank's process had made the id, that one has ended, which
/// shows within moments. `peerOf`: a rank as it is known here, or null.
[[noreturn]] void raiseRootGone(const Error& error, int nRanks, const std::function<const ShmPeer*(int)>& peerOf) {
  constexpr int kLooks = 50, kPauseUs = 2000;
  for (int look = 0; look < kLooks; ++look, usleep(kPauseUs))
    for (int rank = 0; rank < nRanks; ++rank) {
      const ShmPeer* peer = peerOf(rank);
      if (const auto how = peer ? peer->death() : std::nullopt)
        raise(Result::RemoteLost, "rank {} was lost while the communicator was being made: {}", rank, *how);
    }
  throw Error(error.result(), error.what());
}

/// The path to all other ranks; nullptr for one rank. `peers`: those that are connected so far when it throws.
std::unique_ptr<ShmPath> reachPeers(const Membership& membership, MeshListener& listener, int rank,
                                    const Settings& settings, Deadline deadline,
                                    std::vector<std::unique_ptr<ShmPeer>>& peers) {
  listener.connect(membership, rank, deadline, peers);
  faultPoint("init.connected");
  if (peers.size() == 1) return nullptr;
  auto board = shareBoard(membership, rank, settings, peers, deadline);
  return std::make_unique<ShmPath>(std::move(board), rank, std::move(peers));
}

/// What `make` makes of that path, once every rank has its own. A failure at any rank, in `make` too, ends all.
template <typename Make>
auto connectRanks(const Membership& membership, MeshListener& listener, int rank, const Settings& settings,
                  Deadline deadline, Make&& make) {
  std::vector<std::unique_ptr<ShmPeer>> peers;
  ShmPath* path = nullptr;  // while `made` holds it
  decltype(make(nullptr)) made;
  try {
    try {
      auto reached = reachPeers(membership, listener, rank, settings, deadline, peers);
      ShmPath* const at = reached.get();
      made = make(std::move(reached));
      path = at;
    } catch (const Error& error) {
      membership.giveUp(error);
    } catch (const std::bad_alloc&) {
      membership.giveUp({Result::OutOfMemory, "out of memory while the communicator was being made"});
    } catch (const std::exception& error) {
      membership.giveUp({Result::InternalError, error.what()});
    }
    membership.confirm();
    return made;
  } catch (const BrokenLine& error) {
    raiseRootGone(error, static_cast<int>(membership.ranks.size()), [&](int peer) -> const ShmPeer* {
      if (path) return path->peerOf(peer);
      return static_cast<size_t>(peer) < peers.size() ? peers[static_cast<size_t>(peer)].get() : nullptr;
    });
  }
}

}  // namespace

std::unique_ptr<Communicator> Communicator::create(const UniqueId& id, int nRanks, int rank, Settings settings,
                                                   const std::function<void()>& watch, Patience patience) {
  settings.resolve(nRanks);
  // The root answers at this deadline too: leave its text time to arrive.
  constexpr int64_t kGraceMs = 1000;
  const Deadline deadline = Deadline::inMs(settings.initTimeoutMs + kGraceMs);
  const HostId host = thisHost();
  log::info(log::Subsystem::Init, "joining communicator {:08x} as rank {} of {}", id.tag & 0xffffffff, rank, nRanks);
  MeshListener listener;
  faultPoint("init.listening");
  const RankInfo own = ownInfo(rank, nRanks, settings, host, listener.name());
  const Membership membership = joinRendezvous(id, own, deadline, watch, patience);
  faultPoint("init.joined");
  requireOneHost(membership);
  return connectRanks(membership, listener, rank, settings, deadline, [&](std::unique_ptr<Path> path) {
    Identity identity{host.name, getpid(), rank, nRanks, nameFor(settings, id.tag)};
    return std::unique_ptr<Communicator>(new Communicator(std::move(identity), std::move(path), settings));
  });
}

std::unique_ptr<Communicator> Communicator::regroup(const Regroup::Wish& wish, Settings settings) {
  if (exchange_->outstanding())
    raise(Result::InvalidUsage, "operations are outstanding on communicator {}: wait for them first",
          exchange_->identity().name);
  if (!path_) return wish.color < 0 ? nullptr : std::move(createAll(1, settings).front());
  settings.resolve(nRanks_);  // its own deadline; the new communicator's number of ranks is not known yet
  Regroup regroup(*exchange_, *path_, wish, ++regroups_, Deadline::inMs(settings.initTimeoutMs));
  for (;;) {
    const Regroup::Place place = regroup.next();
    if (place.rank < 0) return nullptr;
    try {
      auto made = create(place.id, place.nRanks, place.rank, settings, [&] { regroup.watch(place); });
      if (regroup.confirm(place, [&] { return made->lostPeer(); })) return made;
      raise(Result::RemoteLost, "{}: the new communicator did not come to be: {}", exchange_->identity().name,
            made->lostPeer().value_or("a rank gave up; see its error"));
    } catch (...) {
      regroup.giveUp(place);
      if (!regroup.mayRetry()) throw;
    }
  }
}

std::vector<std::unique_ptr<Communicator>> Communicator::createAll(int nRanks, Settings settings) {
  settings.resolve(nRanks);
  const HostId host = thisHost();
  uint64_t tag = 0;
  fillRandom(&tag, sizeof tag);
  const auto board = nRanks > 1 ? mapBoard(makeBoard(nRanks, settings)) : nullptr;
  std::vector<std::unique_ptr<Communicator>> comms;
  for (int rank = 0; rank < nRanks; ++rank) {
    Identity identity{host.name, getpid(), rank, nRanks, nameFor(settings, tag)};
    auto path = nRanks > 1 ? std::make_unique<SelfPath>(board, rank) : nullptr;
    comms.emplace_back(new Communicator(std::move(identity), std::move(path), settings));
  }
  return comms;
}

}  // namespace ulysses
