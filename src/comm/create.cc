// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How communicators come to be.
#include <unistd.h>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/bootstrap/line.h"
#include "comm/communicator.h"
#include "comm/mesh.h"
#include "comm/nics.h"
#include "comm/reach.h"
#include "path/self/self_path.h"
#include "path/shm/shm_path.h"
#include "topo/host.h"

namespace ulysses {
namespace {

constexpr size_t kLongestName = 31;

std::string nameFor(const Settings& settings, uint64_t tag) {
  return settings.name.empty() ? formatText("{:08x}", tag & 0xffffffff) : settings.name.substr(0, kLongestName);
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
  info.hostIdHash = settings.hostId.empty() ? 0 : hashBytes(settings.hostId.data(), settings.hostId.size(), 1);
  info.stagingBytes = settings.stagingBytes;
  info.verify = settings.verify;
  info.pathChoice = static_cast<int32_t>(settings.path);
  info.crossing = static_cast<int32_t>(settings.crossing);
  info.nicPolicy = static_cast<int32_t>(settings.netDevices.policy);
  info.placeNode = placeNodeFor(settings.netDevices);
  info.initTimeoutMs = settings.initTimeoutMs;
  copyText(info.host, host.name);
  copyText(info.meshName, meshName);
  return info;
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

/// What `make` makes of this rank's routes, once every rank has its own. A failure at any rank, in `make` too, ends
/// all.
template <typename Make>
auto connectRanks(const Membership& membership, MeshListener& listener, int rank, const NicRequest& nics,
                  Deadline deadline, Make&& make) {
  std::vector<std::unique_ptr<ShmPeer>> peers;
  const ShmPath* path = nullptr;  // while `made` holds it
  decltype(make(Routes())) made;
  try {
    try {
      Routes reached = reachPeers(membership, listener, rank, nics, deadline, peers);
      const auto* const at =
          reached.paths.empty() ? nullptr : dynamic_cast<const ShmPath*>(reached.paths.front().get());
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
  requireReachable(membership);
  const Origin origin{id.secret, needsContacts(membership.ranks) ? membership.ownAddress() : kLoopback};
  return connectRanks(membership, listener, rank, settings.netDevices, deadline, [&](Routes routes) {
    settings.resolve(routes.ranksHere);  // what depends on how many share this host
    Identity identity{host.name, getpid(), rank, nRanks, nameFor(settings, id.tag)};
    return std::unique_ptr<Communicator>(new Communicator(std::move(identity), std::move(routes), settings, origin));
  });
}

std::unique_ptr<Communicator> Communicator::regroup(const Regroup::Wish& wish, Settings settings) {
  if (exchange_->outstanding())
    raise(Result::InvalidUsage, "operations are outstanding on communicator {}: wait for them first",
          exchange_->identity().name);
  if (routes_.paths.empty()) return wish.color < 0 ? nullptr : std::move(createAll(1, settings).front());
  settings.resolve(nRanks_);  // its own deadline; the new communicator's number of ranks is not known yet
  Regroup regroup({routes_, exchange_->identity(), origin_.secret, origin_.listenAddress}, wish, ++regroups_,
                  Deadline::inMs(settings.initTimeoutMs));
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
  const auto board = nRanks > 1 ? makeOwnBoard(nRanks, settings) : nullptr;
  std::vector<std::unique_ptr<Communicator>> comms;
  for (int rank = 0; rank < nRanks; ++rank) {
    Identity identity{host.name, getpid(), rank, nRanks, nameFor(settings, tag)};
    auto path = nRanks > 1 ? std::make_unique<SelfPath>(board, rank) : nullptr;
    comms.emplace_back(
        new Communicator(std::move(identity), Routes::over(std::move(path), rank, nRanks), settings, {}));
  }
  return comms;
}

}  // namespace ulysses
