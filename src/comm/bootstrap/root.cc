// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The serving side of the rendezvous: one thread, all connections at once, so that one slow or foreign connection holds
// up nobody.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "comm/bootstrap/guest.h"
#include "comm/bootstrap/interface.h"
#include "comm/bootstrap/listening.h"
#include "comm/bootstrap/mail.h"

namespace ulysses {
namespace {

constexpr int64_t kHandshakeMs = 5000;      // for one connection to prove that it is a rank
constexpr int64_t kIdleMs = 24 * 3600'000;  // an id that nobody presents
// Connections that have not proved anything. When so many are open, one that has said nothing for a while makes room: a
// rank's handshake takes a few round trips, so who holds connections open cannot keep ranks out.
constexpr size_t kMostPending = 64;
constexpr int64_t kPatienceMs = 250;
// A rank that lost a peer while they connected may be heard before the rank that failed: wait for a better cause.
constexpr int64_t kConsequenceMs = 100;

static_assert(kMostPending * sizeof(Guest) <= 64 << 10, "what strangers can make this process hold");

struct Connection {
  UniqueFd socket;
  Deadline deadline, patience;
  Guest guest;
  bool joined = false;
  bool ready = false;                    // reported that it is connected to the others
  std::unique_ptr<Mail> mail = nullptr;  // from the Welcome on, while something is to come
  std::vector<std::byte> contact = {};   // where its network path is reached
};

Nonce freshNonce() {
  Nonce nonce;
  fillRandom(nonce.data(), nonce.size());
  return nonce;
}

/// A message is far smaller than a fresh socket's buffer, so this hardly waits for a reader that never comes.
void sendAll(int socket, Bytes bytes) {
  const Deadline deadline = Deadline::inMs(kHandshakeMs);
  while (!bytes.empty() && !deadline.passed()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return;
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(sent));
      continue;
    }
    pollfd room{socket, POLLOUT, 0};
    poll(&room, 1, 100);
  }
}

class Root {
 public:
  /// Ends early when `stop` is set.
  Root(std::vector<UniqueFd> listeners, const UniqueId& id, std::shared_ptr<const std::atomic<bool>> stop)
      : listeners_(std::move(listeners)), id_(id), stop_(std::move(stop)) {}

  void run() {
    Deadline deadline = Deadline::inMs(kIdleMs);
    while (!finished_ && !*stop_) {
      if (deadline.passed()) return joined_ == 0 || failed_ ? void() : fail(Result::Timeout, missingText());
      pollOnce(deadline);
      if (consequence_ && consequenceDue_.passed() && !failed_) fail(consequence_->result(), consequence_->what());
      if (joined_ > 0 && !deadlineSet_) {
        deadlineSet_ = true;
        deadline = Deadline::inMs(infoBeside(nullptr).initTimeoutMs);
      }
    }
  }

 private:
  void pollOnce(Deadline deadline) {
    const bool full = !makeRoom();
    polls_.clear();
    for (const UniqueFd& listener : listeners_)
      polls_.push_back({listener.get(), static_cast<short>(full ? 0 : POLLIN), 0});
    for (const Connection& c : connections_) polls_.push_back({c.socket.get(), POLLIN, 0});
    if (poll(polls_.data(), polls_.size(), deadline.leftMs(full || consequence_ ? 10 : 200)) < 0 && errno != EINTR)
      raiseErrno("poll");
    const size_t known = connections_.size();
    const size_t firstConnection = listeners_.size();
    const bool before = welcomed_;  // the welcome lets go of strangers and listeners
    for (size_t i = 0; i < known && !finished_ && welcomed_ == before; ++i)
      if (polls_[firstConnection + i].revents) receive(connections_[i]);
    std::erase_if(connections_, [](const Connection& c) { return !c.socket || (!c.joined && c.deadline.passed()); });
    for (size_t i = 0; i < listeners_.size() && !finished_; ++i)
      if (polls_[i].revents & POLLIN) accept(listeners_[i]);
  }

  /// Whether another connection may be taken in.
  bool makeRoom() {
    if (connections_.size() < kMostPending + static_cast<size_t>(joined_)) return true;
    const auto silent = std::find_if(connections_.begin(), connections_.end(),
                                     [](const Connection& c) { return !c.joined && c.patience.passed(); });
    if (silent == connections_.end()) return false;
    connections_.erase(silent);
    return true;
  }

  void accept(const UniqueFd& listener) {
    UniqueFd socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return cannotAccept(errno);
    acceptFailures_ = 0;
    sendAtOnce(socket.get());
    connections_.push_back(
        {std::move(socket), Deadline::inMs(kHandshakeMs), Deadline::inMs(kPatienceMs), Guest(id_, freshNonce())});
  }

  /// No descriptor or memory is left: it may be for a moment. If it stays so, all that have come are told.
  void cannotAccept(int error) {
    constexpr int kTries = 100;
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM) return;
    usleep(10'000);
    if (++acceptFailures_ < kTries || joined_ == 0 || failed_) return;
    fail(Result::SystemError, formatText("the rendezvous cannot accept ranks: {} (errno {}); raise the limit on open "
                                         "files (ulimit -n) of the process that called ulyssesGetUniqueId",
                                         std::strerror(error), error));
  }

  void receive(Connection& c) {
    if (c.mail) return receiveMail(c);
    std::byte extra[1];
    const std::span<std::byte> room = c.joined ? std::span<std::byte>(extra) : c.guest.room();
    const ssize_t bytes = recv(c.socket.get(), room.data(), room.size(), 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c.joined) return loseMember(c);
    if (bytes <= 0) return hangUp(c);
    switch (c.guest.received(static_cast<size_t>(bytes))) {
      case Guest::Event::More:
        return;
      case Guest::Event::SendChallenge:
        sendAll(c.socket.get(), bytesOf(c.guest.challenge()));
        if (c.guest.challenge().otherId) c.socket.reset();
        return;
      case Guest::Event::Joined:
        return join(c);
      case Guest::Event::Stranger:
        return hangUp(c);
    }
  }

  void hangUp(Connection& c) {
    otherSecrets_ += c.guest.isChallenged();
    c.socket.reset();
  }

  /// Each rank tells its contact where contacts are needed, then reports once, that it is connected to the others or
  /// why it is not.
  void receiveMail(Connection& c) {
    const std::span<std::byte> room = c.mail->room();
    const ssize_t bytes = recv(c.socket.get(), room.data(), room.size(), 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes <= 0 || c.ready) return loseMember(c);
    switch (c.mail->received(static_cast<size_t>(bytes))) {
      case Mail::Event::More:
        return;
      case Mail::Event::Contact:
        return takeContact(c, c.mail->contact());
      case Mail::Event::Report:
        return judge(c, c.mail->report());
      case Mail::Event::Stranger:
        return loseMember(c);
    }
  }

  /// Once all have come, every rank gets all of them.
  void takeContact(Connection& c, const Contact& contact) {
    if (contacts_ == 0 || !c.contact.empty() || contact.bytes < 1 || contact.bytes > sizeof contact.data ||
        !sameProof(contact.proof, c.guest.session().contactProof(contact)))
      return loseMember(c);
    c.contact.assign(contact.data, contact.data + contact.bytes);
    if (--contacts_ == 0) sendContacts();
  }

  void sendContacts() {
    std::vector<const std::vector<std::byte>*> byRank(static_cast<size_t>(joined_));
    for (const Connection& c : connections_) byRank[static_cast<size_t>(c.guest.info().rank)] = &c.contact;
    std::vector<std::byte> all;
    for (const std::vector<std::byte>* contact : byRank) {
      const auto bytes = static_cast<uint32_t>(contact->size());
      all.insert(all.end(), bytesOf(bytes).begin(), bytesOf(bytes).end());
      all.insert(all.end(), contact->begin(), contact->end());
    }
    Contacts head;
    head.bytes = static_cast<uint32_t>(all.size());
    for (const Connection& c : connections_) {
      head.proof = c.guest.session().contactsProof(head, all);
      sendAll(c.socket.get(), bytesOf(head));
      sendAll(c.socket.get(), all);
    }
  }

  void judge(Connection& c, const Report& report) {
    if (!sameProof(report.proof, c.guest.session().reportProof(report))) return loseMember(c);
    if (report.result == 0) {
      if (contacts_ > 0) return loseMember(c);  // nobody knows yet where the others are
      c.ready = true;
      if (++ready_ == joined_) conclude(Result::Success, "");
      return;
    }
    const RankInfo& info = c.guest.info();
    const auto result = static_cast<Result>(report.result);
    const std::string text =
        formatText("rank {} (host {}, pid {}): {}", info.rank, info.host, info.pid, textFrom(report.text));
    if (result != Result::RemoteLost) return fail(result, text);
    if (!consequence_) consequenceDue_ = Deadline::inMs(kConsequenceMs);
    if (!consequence_) consequence_.emplace(result, text);
    c.mail.reset();  // it waits for the verdict now, and may go
  }

  /// A member must stay and wait for its answer: one that goes has died or given up.
  void loseMember(Connection& c) {
    const RankInfo info = c.guest.info();
    const bool gaveUp = welcomed_ && !c.mail;
    c.socket.reset();
    if (failed_ || gaveUp) return;  // it has its answer, or has told why
    fail(Result::RemoteLost, formatText("rank {} (host {}, pid {}) left while the communicator was being made",
                                        info.rank, info.host, info.pid));
  }

  void join(Connection& c) {
    faultPoint("root.rank_joined");
    c.joined = true;
    ++joined_;
    const RankInfo& info = c.guest.info();
    log::info(log::Subsystem::Bootstrap, "communicator {:08x}: rank {} of {} joined (host {}, pid {}); {} are here",
              id_.tag & 0xffffffff, info.rank, info.nRanks, textFrom(info.host), info.pid, joined_);
    if (failed_) {
      answer(c, {});
    } else if (const auto problem = problemWith(c)) {
      fail(Result::InvalidArgument, *problem);
    } else if (joined_ == c.guest.info().nRanks) {
      succeed();
    }
    if (failed_ && joined_ >= nRanks_) finished_ = true;
  }

  std::optional<std::string> problemWith(const Connection& c) const {
    const RankInfo& info = c.guest.info();
    const RankInfo& first = infoBeside(&c);
    if (c.guest.version() != kBootstrapVersion)
      return formatText(
          "a rank speaks bootstrap version {}, the rendezvous version {}; use one library version everywhere",
          c.guest.version(), kBootstrapVersion);
    if (info.libraryVersion != first.libraryVersion)
      return formatText(
          "rank {} (pid {}) runs library version {}, rank {} (pid {}) version {}; use one version everywhere",
          info.rank, info.pid, info.libraryVersion, first.rank, first.pid, first.libraryVersion);
    if (info.recordVersion != first.recordVersion)
      return formatText(
          "rank {} (pid {}) writes records of version {}, rank {} (pid {}) of version {}; use one build everywhere",
          info.rank, info.pid, info.recordVersion, first.rank, first.pid, first.recordVersion);
    if (info.nRanks != first.nRanks)
      return formatText("nRanks: rank {} (pid {}) passed {}, rank {} (pid {}) passed {}; all ranks must pass the same",
                        first.rank, first.pid, first.nRanks, info.rank, info.pid, info.nRanks);
    if (info.rank < 0 || info.rank >= info.nRanks)
      return formatText("rank={} (pid {}): want 0..{}", info.rank, info.pid, info.nRanks - 1);
    for (const Connection& other : connections_)
      if (&other != &c && other.joined && other.guest.info().rank == info.rank)
        return formatText("rank {} was given twice, to pid {} and pid {} on host {}; give every process its own",
                          info.rank, other.guest.info().pid, info.pid, info.host);
    return std::nullopt;
  }

  /// Of a rank that has joined, another than `c` if there is one: connections join in any order.
  const RankInfo& infoBeside(const Connection* c) const {
    const auto other = std::find_if(connections_.begin(), connections_.end(),
                                    [&](const Connection& each) { return each.joined && &each != c; });
    return other != connections_.end() ? other->guest.info() : c->guest.info();
  }

  /// Of the ranks that were welcomed, those that do not get on.
  std::string unreadyText() const {
    std::string text;
    for (const Connection& c : connections_)
      if (c.joined && !c.ready)
        text += formatText("{}rank {} (host {}, pid {})", text.empty() ? "" : ", ", c.guest.info().rank,
                           c.guest.info().host, c.guest.info().pid);
    return text +
           " did not connect to the other ranks before the deadline; look there, or raise init_timeout_ms "
           "(ULYSSES_INIT_TIMEOUT_MS)";
  }

  std::string missingText() const {
    if (welcomed_) return unreadyText();
    const int nRanks = infoBeside(nullptr).nRanks;
    std::vector<bool> here(static_cast<size_t>(nRanks));
    for (const Connection& c : connections_)
      if (c.joined) here[static_cast<size_t>(c.guest.info().rank)] = true;
    std::string missing;
    for (int rank = 0; rank < nRanks; ++rank)
      if (!here[static_cast<size_t>(rank)]) missing += formatText("{}{}", missing.empty() ? "" : ", ", rank);
    return formatText(
        "{} of {} ranks joined before the deadline; missing: {}{}. Look why they did not start, or raise "
        "init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
        joined_, nRanks, missing,
        otherSecrets_ ? formatText(" ({} connections knew this communicator but not its secret)", otherSecrets_) : "");
  }

  void succeed() {
    std::vector<RankInfo> table(static_cast<size_t>(joined_));
    for (const Connection& c : connections_)
      if (c.joined) table[static_cast<size_t>(c.guest.info().rank)] = c.guest.info();
    welcome_.nRanks = joined_;
    welcome_.infoBytes = sizeof(RankInfo);
    welcome_.meshNonce = freshNonce();
    for (const Connection& c : connections_) {
      answer(c, std::as_bytes(std::span(table)));
      faultPoint("root.answered");
    }
    welcomed_ = true;
    std::erase_if(connections_, [](const Connection& c) { return !c.joined; });
    for (Connection& c : connections_) c.mail = std::make_unique<Mail>();
    if (needsContacts(table)) contacts_ = joined_;
    listeners_.clear();  // nobody else is to come
  }

  /// The last word to all ranks.
  void conclude(Result result, const std::string& text) {
    Verdict verdict;
    verdict.result = static_cast<int32_t>(result);
    copyText(verdict.text, text);
    for (const Connection& c : connections_) {
      if (!c.socket) continue;
      verdict.proof = c.guest.session().verdictProof(verdict);
      sendAll(c.socket.get(), bytesOf(verdict));
      shutdown(c.socket.get(), SHUT_WR);
    }
    awaitEnds();
    finished_ = true;
  }

  /// A socket that is closed with something unread takes back what was sent last: each rank has until it hangs up.
  void awaitEnds() {
    constexpr int64_t kMostMs = 1000;
    const Deadline deadline = Deadline::inMs(kMostMs);
    for (const Connection& c : connections_) {
      std::byte ignored[256];
      pollfd entry{c.socket.get(), POLLIN, 0};
      while (c.socket && poll(&entry, 1, deadline.leftMs(kMostMs)) > 0 &&
             recv(c.socket.get(), ignored, sizeof ignored, MSG_DONTWAIT) > 0) {
      }
    }
  }

  /// All ranks are told, those too that have not come yet: this goes on until as many came as there are, or the
  /// deadline.
  void fail(Result result, const std::string& text) {
    failed_ = true;
    if (welcomed_) return conclude(result, text);
    nRanks_ = result == Result::Timeout ? 0 : expectedRanks();
    welcome_.result = static_cast<int32_t>(result);
    copyText(welcome_.text, text);
    for (const Connection& c : connections_) answer(c, {});
    finished_ = joined_ >= nRanks_;
  }

  void answer(const Connection& c, Bytes records) {
    if (!c.joined || !c.socket) return;
    Welcome welcome = welcome_;
    welcome.proof = c.guest.welcomeProof(welcome, records);
    sendAll(c.socket.get(), bytesOf(welcome));
    sendAll(c.socket.get(), records);
  }

  /// The most that any rank which joined expects; 0 when none of our version did.
  int expectedRanks() const {
    int most = 0;
    for (const Connection& c : connections_)
      if (c.joined) most = std::max(most, c.guest.info().nRanks);
    return most;
  }

  std::vector<UniqueFd> listeners_;
  UniqueId id_;
  std::shared_ptr<const std::atomic<bool>> stop_;
  std::vector<Connection> connections_;
  std::vector<pollfd> polls_;
  Welcome welcome_;  // but for its proof
  int joined_ = 0, nRanks_ = 0, ready_ = 0, otherSecrets_ = 0, acceptFailures_ = 0;
  int contacts_ = 0;  // that are to come
  std::optional<Error> consequence_;
  Deadline consequenceDue_;
  bool welcomed_ = false, failed_ = false, finished_ = false, deadlineSet_ = false;
};

Serving startRoot(std::vector<UniqueFd> listeners, const UniqueId& id, std::shared_ptr<std::atomic<bool>> stop) {
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  startThread("the rendezvous", [ended, root = Root(std::move(listeners), id, stop)]() mutable {
    try {
      root.run();
    } catch (const std::exception& error) {
      log::warn(log::Subsystem::Bootstrap, "rendezvous: {}", error.what());
    }
    *ended = true;
  }).detach();
  return Serving(ended, std::move(stop));
}

/// The flag that ends what is served at given endpoints; that of the one before is set.
std::shared_ptr<std::atomic<bool>> succeedAtGiven() {
  static std::mutex mutex;
  static std::shared_ptr<std::atomic<bool>> current;
  const std::lock_guard lock(mutex);
  if (current) *current = true;
  current = std::make_shared<std::atomic<bool>>(false);
  return current;
}

}  // namespace

UniqueId openRendezvous(const std::string& interface, Serving* serving) {
  UniqueId id;
  id.wireVersion = kBootstrapVersion;
  fillRandom(&id.tag, sizeof id.tag);
  fillRandom(id.secret.data(), id.secret.size());
  std::vector<HostAddress> addresses = addressesOf(interface);
  addresses.resize(std::min(addresses.size(), std::size(id.endpoints)));
  std::vector<UniqueFd> listeners;
  listeners.reserve(addresses.size());
  for (const HostAddress& address : addresses) listeners.push_back(listenAt(address, id.endpoints[listeners.size()]));
  std::string places;
  for (size_t i = 0; i < addresses.size(); ++i)
    places += formatText("{}{} (interface {})", i == 0 ? "" : ", ", toText(id.endpoints[i]), addresses[i].interface);
  log::info(log::Subsystem::Bootstrap, "communicator {:08x}: rendezvous at {}", id.tag & 0xffffffff, places);
  const Serving started = startRoot(std::move(listeners), id, std::make_shared<std::atomic<bool>>(false));
  if (serving) *serving = started;
  return id;
}

Serving serveRendezvous(const UniqueId& id, const std::string& origin, Deadline deadline) {
  constexpr int kGraceMs = 2000;
  auto stop = succeedAtGiven();
  const Deadline grace = Deadline::inMs(deadline.leftMs(kGraceMs));
  std::vector<UniqueFd> listeners;
  int error = 0;
  for (const UniqueId::Endpoint& endpoint : id.endpoints) {
    if (endpoint.family == 0) continue;
    UniqueFd listener = listenAtGiven(endpoint, &error, grace);
    if (listener)
      listeners.push_back(std::move(listener));
    else if (error != EADDRNOTAVAIL)
      raiseCannotListen(endpoint, origin, error);
  }
  if (listeners.empty()) raiseCannotListen(id.endpoints[0], origin, error);
  return startRoot(std::move(listeners), id, std::move(stop));
}

}  // namespace ulysses
