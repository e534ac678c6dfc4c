// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How communicators come to be.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/text.h"
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
std::shared_ptr<Mapping> shareBoard(int rank, int nRanks, const Settings& settings,
                                    const std::vector<std::unique_ptr<ShmPeer>>& peers, Deadline deadline) {
  if (rank == 0) {
    const BoardFile file = makeBoard(nRanks, settings);
    faultPoint("init.board_made");
    const FdMessage message{.kind = FdMessage::Kind::Board, .bytes = file.bytes};
    for (int peer = 1; peer < nRanks; ++peer)
      if (sendMessage(peers[static_cast<size_t>(peer)]->socket(), message, file.fd.get(), deadline) != Result::Success)
        raise(Result::RemoteLost, "rank {} left while the communicator was being made", peer);
    return mapBoard(file);
  }
  auto received = receiveMessage(peers[0]->socket(), deadline);
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
  info.hostId = host.id;
  info.initTimeoutMs = settings.initTimeoutMs;
  copyText(info.host, host.name);
  copyText(info.meshName, meshName);
  return info;
}

void requireOneHost(const Membership& membership) {
  const RankInfo& first = membership.ranks.front();
  for (const RankInfo& info : membership.ranks)
    if (info.hostId != first.hostId)
      raise(Result::NotSupported,
            "rank {} is on host {}, rank {} on host {} (or another network namespace): exchanges between hosts are not "
            "built yet",
            first.rank, first.host, info.rank, info.host);
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
  auto peers = listener.connect(membership, rank, deadline);
  faultPoint("init.connected");
  std::unique_ptr<Path> path;
  if (nRanks > 1) {
    auto board = shareBoard(rank, nRanks, settings, peers, deadline);
    path = std::make_unique<ShmPath>(std::move(board), rank, std::move(peers));
  }
  Identity identity{host.name, getpid(), rank, nRanks, nameFor(settings, id.tag)};
  return std::unique_ptr<Communicator>(new Communicator(std::move(identity), std::move(path), std::move(settings)));
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
      return create(place.id, place.nRanks, place.rank, settings, [&] { regroup.watch(); });
    } catch (const Error&) {
      if (!wish.toleratesLosses || !regroup.mayRetry()) throw;
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
