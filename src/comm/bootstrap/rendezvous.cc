// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The joining side of the rendezvous.
#include "comm/bootstrap/rendezvous.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/bootstrap/line.h"

namespace ulysses {
namespace {

constexpr int kMostTries = 8;  // of connections that break; with the pauses between them some 5 s

/// Both ends prove that they have the secret; only then does this one say who it is.
void shakeHands(Line& line, const UniqueId& id, const RankInfo& own, const Nonce& nonce) {
  Session& session = line.session;
  session = {id.secret, id.tag, nonce, {}};
  Hello hello;
  hello.tag = id.tag;
  hello.nonce = nonce;
  line.send(hello);
  faultPoint("join.hello_sent");
  const Challenge challenge = line.receive<Challenge>();
  session.root = challenge.nonce;
  if (challenge.otherId)
    throw NotYet(Result::InvalidArgument,
                 formatText("the rendezvous at {} serves another unique id: this one is of an earlier run or was mixed "
                            "up; pass all ranks the id that ulyssesGetUniqueId made for this communicator",
                            line.where()),
                 line.where() + ": another communicator or job is served there");
  line.setServed();
  if (!sameProof(challenge.proof, session.rootProof()))
    raise(
        Result::SystemError,
        "what answers at {} does not have the secret of this unique id (ranks of a launcher: ULYSSES_SECRET_FILE must "
        "hold the same bytes at all of them)",
        line.where());
  Introduction introduction;
  introduction.infoBytes = sizeof own;
  introduction.proof = session.rankProof(bytesOf(own));
  line.send(introduction);
  faultPoint("join.half_introduced");
  line.send(own);
}

/// The answer to all ranks: who they are, or what is wrong.
Membership receiveWelcome(Line& line, const UniqueId& id, int nRanks) {
  const Welcome welcome = line.receive<Welcome>();
  Membership membership;
  if (welcome.result == 0) {
    if (welcome.nRanks != nRanks || welcome.infoBytes != sizeof(RankInfo))
      raise(Result::SystemError, "the rendezvous at {} counts {} ranks of {} bytes, not {} of {}", line.where(),
            welcome.nRanks, welcome.infoBytes, nRanks, sizeof(RankInfo));
    membership.ranks.resize(static_cast<size_t>(nRanks));
    line.transfer(membership.ranks.data(), membership.ranks.size() * sizeof(RankInfo), false);
  }
  if (!sameProof(welcome.proof, line.session.welcomeProof(welcome, std::as_bytes(std::span(membership.ranks)))))
    raise(Result::SystemError, "the answer of the rendezvous at {} was changed on its way", line.where());
  if (welcome.result != 0) throw Error(static_cast<Result>(welcome.result), textFrom(welcome.text));
  for (int rank = 0; rank < nRanks; ++rank) {
    RankInfo& info = membership.ranks[static_cast<size_t>(rank)];
    info.host[sizeof info.host - 1] = info.meshName[sizeof info.meshName - 1] = 0;
    if (info.rank != rank || info.nRanks != nRanks)
      raise(Result::SystemError, "the rendezvous at {} gives rank {} of {} the place of rank {} of {}", line.where(),
            info.rank, info.nRanks, rank, nRanks);
  }
  membership.meshToken = hmac(id.secret, "ulysses mesh", {bytesOf(id.tag), bytesOf(welcome.meshNonce)});
  return membership;
}

/// 10 ms, 20 ms, ... to that many.
void pauseAfter(int tries, int mostMs, Deadline deadline, const std::function<void()>& watch) {
  const Deadline end = Deadline::inMs(std::min(10 << std::min(tries, 10), mostMs));
  while (!end.passed() && !deadline.passed()) {
    if (watch) watch();
    usleep(5'000);
  }
}

[[noreturn]] void raiseNotMet(const NotYet& error) {
  raise(Result::Timeout,
        "rank 0 was not met before the deadline ({}); look why it did not start or has failed, whether all ranks "
        "have the same address and port (ULYSSES_ROOT, or MASTER_ADDR and ULYSSES_PORT) and made as many "
        "communicators before, or raise init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
        error.reason);
}

/// A record whose magic was read before.
template <typename T>
T receiveRest(Line& line) {
  T message;
  line.transfer(reinterpret_cast<std::byte*>(&message) + sizeof message.magic, sizeof message - sizeof message.magic,
                false);
  return message;
}

void obey(const Line& line, const Verdict& verdict) {
  if (!sameProof(verdict.proof, line.session.verdictProof(verdict)))
    raise(Result::SystemError, "the answer of the rendezvous at {} was changed on its way", line.where());
  if (verdict.result != 0) throw Error(static_cast<Result>(verdict.result), textFrom(verdict.text));
}

/// The verdict, once it is there. Throws when it is a failure.
void hearVerdict(Line& line) { obey(line, line.receive<Verdict>()); }

/// Throws SystemError unless there is one for each rank and nothing else.
std::vector<std::vector<std::byte>> takeApart(std::span<const std::byte> all, size_t nRanks, const std::string& where) {
  std::vector<std::vector<std::byte>> contacts(nRanks);
  for (auto& contact : contacts) {
    uint32_t bytes = 0;
    const bool hasSize = all.size() >= sizeof bytes;
    if (hasSize) std::memcpy(&bytes, all.data(), sizeof bytes);
    if (!hasSize || bytes == 0 || bytes > all.size() - sizeof bytes)
      raise(Result::SystemError, "the rendezvous at {} sent contacts that are cut off", where);
    contact.assign(all.begin() + sizeof bytes, all.begin() + sizeof bytes + bytes);
    all = all.subspan(sizeof bytes + bytes);
  }
  if (!all.empty()) raise(Result::SystemError, "the rendezvous at {} sent more contacts than ranks", where);
  return contacts;
}

void sendReport(Line& line, Result result, const char* text) {
  Report report;
  report.result = static_cast<int32_t>(result);
  copyText(report.text, text);
  report.proof = line.session.reportProof(report);
  line.send(report);
}

}  // namespace

bool onOneHost(const RankInfo& a, const RankInfo& b) noexcept {
  return a.bootId == b.bootId && a.networkId == b.networkId && a.hostIdHash == b.hostIdHash;
}

bool needsContacts(std::span<const RankInfo> ranks) noexcept {
  const RankInfo& first = ranks.front();
  if (ranks.size() < 2 || static_cast<PathChoice>(first.pathChoice) == PathChoice::Shm) return false;
  return static_cast<PathChoice>(first.pathChoice) == PathChoice::Ucx ||
         std::ranges::any_of(ranks, [&](const RankInfo& each) { return !onOneHost(first, each); });
}

Membership::Membership() = default;
Membership::Membership(Membership&&) noexcept = default;
Membership& Membership::operator=(Membership&&) noexcept = default;
Membership::~Membership() = default;

void Membership::watch() const {
  if (!line_) return;
  line_->watch();
  if (line_->isReadable()) hearVerdict(*line_);
}

std::string Membership::ownAddress() const { return line_->ownAddress(); }

std::vector<std::vector<std::byte>> Membership::exchangeContacts(std::span<const std::byte> own) const {
  Contact contact;
  if (own.empty() || own.size() > sizeof contact.data)
    raise(Result::NotSupported,
          "the address of this rank's network path has {} bytes, want 1..{}; select fewer devices with UCX_NET_DEVICES",
          own.size(), sizeof contact.data);
  contact.bytes = static_cast<uint32_t>(own.size());
  std::ranges::copy(own, contact.data);
  contact.proof = line_->session.contactProof(contact);
  line_->send(contact);
  faultPoint("join.contact_sent");
  uint64_t magic = 0;
  line_->transfer(&magic, sizeof magic, false);
  if (magic == Verdict::kMagic) obey(*line_, receiveRest<Verdict>(*line_));
  if (magic != Contacts::kMagic) raise(Result::SystemError, "the rendezvous at {} sent no contacts", line_->where());
  const auto head = receiveRest<Contacts>(*line_);
  if (head.bytes > ranks.size() * (sizeof(uint32_t) + kMostContactBytes))
    raise(Result::SystemError, "the rendezvous at {} sent {} bytes of contacts", line_->where(), head.bytes);
  std::vector<std::byte> all(head.bytes);
  line_->transfer(all.data(), all.size(), false);
  if (!sameProof(head.proof, line_->session.contactsProof(head, all)))
    raise(Result::SystemError, "the answer of the rendezvous at {} was changed on its way", line_->where());
  return takeApart(all, ranks.size(), line_->where());
}

void Membership::confirm() const {
  sendReport(*line_, Result::Success, "");
  hearVerdict(*line_);
}

void Membership::giveUp(const Error& own) const {
  constexpr int64_t kPatienceMs = 1000;
  const Deadline deadline = Deadline::inMs(kPatienceMs);
  try {
    sendReport(*line_, own.result(), own.what());
    while (!line_->isReadable() && !deadline.passed()) usleep(1000);
    if (line_->isReadable()) hearVerdict(*line_);
  } catch (const BrokenLine&) {  // nobody is left to tell
    const bool isConsequence = own.result() == Result::RemoteLost || dynamic_cast<const BrokenLine*>(&own);
    if (isConsequence) throw BrokenLine(own.result(), own.what());
  } catch (const Error& verdict) {
    if (!std::string_view(verdict.what()).ends_with(own.what())) throw;
  }
  throw own;
}

Membership joinOver(std::unique_ptr<Line> line, const UniqueId& id, const RankInfo& own, const Nonce& nonce) {
  log::info(log::Subsystem::Bootstrap, "communicator {:08x}: joining at {}", id.tag & 0xffffffff, line->where());
  shakeHands(*line, id, own, nonce);
  Membership membership = receiveWelcome(*line, id, own.nRanks);
  membership.line_ = std::move(line);
  return membership;
}

Membership joinRendezvous(const UniqueId& id, const RankInfo& own, Deadline deadline,
                          const std::function<void()>& watch, Patience patience) {
  const bool mayComeLater = patience == Patience::RootMayComeLater;
  for (int tries = 1, broken = 0;; ++tries) {
    try {
      Nonce nonce;
      fillRandom(nonce.data(), nonce.size());
      return joinOver(std::make_unique<Line>(id, deadline, watch), id, own, nonce);
    } catch (const NotYet& error) {
      // A connection that ended before the Challenge was perhaps only broken; what was refused stays so.
      if (!mayComeLater && (!error.mayBeBroken || ++broken == kMostTries || deadline.passed())) throw;
      if (deadline.passed()) raiseNotMet(error);
    } catch (const BrokenLine&) {
      if (++broken == kMostTries || deadline.passed()) throw;
    }
    pauseAfter(tries, mayComeLater ? 100 : 1000, deadline, watch);
  }
}

}  // namespace ulysses
