// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How the ranks of a communicator find each other: every rank connects to the process that made the unique id, says who
// it is, and is told who the others are, or what is wrong, at once. It stays connected until all ranks have connected
// to each other, so that what goes wrong at one meanwhile ends all of them, with one cause.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "comm/bootstrap/wire.h"
#include "comm/settings.h"

namespace ulysses {

/// The interface of a rendezvous unless another is named.
inline constexpr const char* kLoopback = "127.0.0.1";

/// What a rank says of itself. Fixed size: crosses processes.
struct RankInfo {
  int32_t rank = 0, nRanks = 0;
  int32_t pid = 0;
  uint32_t libraryVersion = 0;
  uint32_t recordVersion = 0;  // of what ranks write to each other's boards
  uint32_t reserved = 0;
  uint64_t bootId = 0, networkId = 0;  // of the host and of its network namespace
  uint64_t hostIdHash = 0;             // of ULYSSES_HOST_ID; 0: unset
  int32_t placeNode = -1;              // the NUMA node its network devices are chosen for; -1: none
  uint32_t reserved2 = 0;
  int64_t initTimeoutMs = 0;
  int64_t stagingBytes = 0;            // from here on: rank 0's hold for the group
  int32_t verify = 0, pathChoice = 0;  // a PathChoice
  int32_t crossing = 0;                // a Crossing
  int32_t nicPolicy = 0;               // a NicPolicy
  char host[64] = {};
  char meshName[32] = {};  // of its local socket, in the abstract namespace
};

/// Whether two ranks share memory and local sockets.
bool onOneHost(const RankInfo& a, const RankInfo& b) noexcept;

/// Whether ranks must tell each other where their network path is reached; the same at all of them.
bool needsContacts(std::span<const RankInfo> ranks) noexcept;

/// A rendezvous of this process.
class Serving {
 public:
  Serving() = default;
  Serving(std::shared_ptr<const std::atomic<bool>> ended, std::shared_ptr<std::atomic<bool>> stop)
      : ended_(std::move(ended)), stop_(std::move(stop)) {}
  bool goesOn() const { return ended_ && !*ended_; }
  /// Ends it soon, whoever is still to come.
  void stop() {
    if (stop_) *stop_ = true;
  }

 private:
  std::shared_ptr<const std::atomic<bool>> ended_;  // the thread that serves may outlive everything else
  std::shared_ptr<std::atomic<bool>> stop_;
};

/// Listens on the interface of that name or address only, makes the id that names it, and starts the thread that serves
/// it. The thread ends when all ranks were answered, or with the process. Throws InvalidArgument, SystemError.
UniqueId openRendezvous(const std::string& interface, Serving* serving = nullptr);

/// Serves an id whose endpoints and secret are given: listens at exactly these, those of other hosts left out. What
/// this process served at given endpoints before ends first. `origin` says where the port comes from
/// ("ULYSSES_ROOT=..."). Throws SystemError: the port is in use, or none of the addresses is of this host.
Serving serveRendezvous(const UniqueId& id, const std::string& origin, Deadline deadline);

/// Whether the rendezvous is there before the ranks that join, as for an id that was handed out by it; or may come
/// after them, as at an address that was given to all.
enum class Patience { RootIsThere, RootMayComeLater };

class Line;

/// A rank's place in the communicator that is being made. Whoever gives it up before confirm() has ended it for all.
class Membership {
 public:
  Membership();
  Membership(Membership&&) noexcept;
  Membership& operator=(Membership&&) noexcept;
  ~Membership();

  std::vector<RankInfo> ranks;  // by rank
  Secret meshToken{};           // known to the ranks only

  /// By which this host is reached from the rendezvous, without a port.
  std::string ownAddress() const;

  /// Gives all ranks the contact of this one, and returns all of theirs; `own` is not empty. Only when needsContacts().
  /// Throws the verdict when one of them failed meanwhile.
  std::vector<std::vector<std::byte>> exchangeContacts(std::span<const std::byte> own) const;
  /// Throws the verdict when the communicator failed at another rank. To be called while this one waits for its peers.
  void watch() const;
  /// This rank is connected to all others: returns when every rank is, else throws the verdict.
  void confirm() const;
  /// This rank failed: tells the others, and throws what ends all of them, or its own error when that is it;
  /// as BrokenLine when the rendezvous has ended and this failure may be a consequence of that.
  [[noreturn]] void giveUp(const Error& own) const;

 private:
  friend Membership joinOver(std::unique_ptr<Line> line, const UniqueId& id, const RankInfo& own, const Nonce& nonce);
  std::unique_ptr<Line> line_;
};

/// One try to join, over this line. `nonce`: random, of this connection alone. Throws as joinRendezvous does, and
/// BrokenLine and NotYet (line.h).
Membership joinOver(std::unique_ptr<Line> line, const UniqueId& id, const RankInfo& own, const Nonce& nonce);

/// Joins as `own`. A connection that breaks before this rank was welcomed is tried again. Throws InvalidArgument with
/// the root's reason, Timeout naming who is missing, SystemError. `watch` is called now and then while this waits, and
/// may throw to end it; so it is while the membership's functions wait.
Membership joinRendezvous(const UniqueId& id, const RankInfo& own, Deadline deadline,
                          const std::function<void()>& watch = {}, Patience patience = Patience::RootIsThere);

}  // namespace ulysses
