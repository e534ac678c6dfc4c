// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Announcements, trouble and the end of a path over UCX. Chunks are in ucx_chunks.cc, what comes in is in ucx_inbox.cc.
#include "path/ucx/ucx_path.h"

#include <unistd.h>

#include <algorithm>

#include "base/format.h"

namespace ulysses {
namespace {

template <typename T>
void append(std::vector<std::byte>& to, const T* data, size_t count) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  to.insert(to.end(), bytes, bytes + count * sizeof(T));
}

std::vector<std::unique_ptr<UcxPeer>> peersAt(std::vector<UcxPath::Contact> contacts, int self) {
  std::vector<std::unique_ptr<UcxPeer>> peers;
  for (UcxPath::Contact& contact : contacts) {
    auto peer = std::make_unique<UcxPeer>();
    peer->rank = static_cast<int>(peers.size());
    peer->host = std::move(contact.host);
    peer->pid = contact.pid;
    if (peer->rank != self) peer->address = std::move(contact.address);
    for (auto& each : peer->sends) each.peer = peer.get();
    for (auto& each : peer->receives) each.peer = peer.get();
    peers.push_back(std::move(peer));
  }
  return peers;
}

}  // namespace

UcxPath::UcxPath(std::unique_ptr<UcxWorker> worker, Options options, std::vector<Contact> contacts)
    : worker_(std::move(worker)),
      options_(std::move(options)),
      peers_(peersAt(std::move(contacts), options_.rank)),
      council_(
          options_.rank, peers_, [this](UcxPeer& peer, UcxMessage id, auto message) { tellBytes(peer, id, message); },
          options_.ballot) {
  hearMessages();
}

std::string UcxPath::reasonFor(int peer) const {
  return formatText("{} (hosts {} and {}): packed into messages of {}", options_.reason, at(options_.rank).host,
                    at(peer).host, worker_->ucx().versionText());
}

/// Const, because peers are looked at with it; what it changes is what came from them.
bool UcxPath::progress() const noexcept {
  const bool moved = !isStill_ && worker_->progress();
  if (isRevoked() && !toldCause_) const_cast<UcxPath*>(this)->tellCause();
  return moved;
}

/// Opens the endpoint when there is none yet.
bool UcxPath::isOpen(UcxPeer& peer) noexcept {
  if (isClosed_) return false;
  if (!peer.endpoint && !peer.isBroken()) peer.fail(worker_->open(peer.address, onFailure, &peer, &peer.endpoint));
  return peer.endpoint && !peer.isBroken();
}

std::unique_ptr<UcxPath::Outgoing> UcxPath::take(UcxPeer& peer) {
  std::unique_ptr<Outgoing> message;
  if (idle_.empty()) {
    message = std::make_unique<Outgoing>(Outgoing{this, &peer, {}});
    idle_.reserve(idle_.capacity() + 1);  // for when it comes back, where nothing may throw
  } else {
    message = std::move(idle_.back());
    idle_.pop_back();
  }
  message->peer = &peer;
  message->bytes.clear();
  return message;
}

void UcxPath::post(UcxPeer& peer, UcxMessage id, std::unique_ptr<Outgoing> message) noexcept {
  const ucs_status_ptr_t request =
      worker_->send(peer.endpoint, static_cast<unsigned>(id), message->bytes, onSent, message.get());
  if (UCS_PTR_IS_PTR(request)) {
    ++peer.underWay;
    (void)message.release();  // until onSent
    return;
  }
  peer.failIf(request);
  idle_.push_back(std::move(message));
}

void UcxPath::onSent(void* request, ucs_status_t status, void* outgoing) noexcept {
  auto* message = static_cast<Outgoing*>(outgoing);
  message->peer->fail(status);
  --message->peer->underWay;
  UcxLibrary::get().ucp_request_free(request);
  message->path->idle_.push_back(std::unique_ptr<Outgoing>(message));
}

void UcxPath::tellBytes(UcxPeer& peer, UcxMessage id, std::span<const std::byte> message) noexcept {
  if (!isOpen(peer)) return;
  try {
    auto outgoing = take(peer);
    append(outgoing->bytes, message.data(), message.size());
    post(peer, id, std::move(outgoing));
  } catch (const std::bad_alloc&) {
    peer.fail(UCS_ERR_NO_MEMORY);
  }
}

void UcxPath::announceTo(UcxPeer& peer, const Posting& posting, bool withRecord) {
  UcxAnnounce head;
  head.from = options_.rank;
  head.poisoned = posting.record->poison != 0;
  head.sequence = posting.sequence;
  head.callHash = posting.callHash;
  head.strideHash = posting.strideHash;
  head.recordId = posting.recordId;
  head.hasRecord = withRecord;
  head.tokens = static_cast<uint32_t>(withRecord ? posting.tokens.size() : 0);
  head.queryHeads = static_cast<uint32_t>(withRecord ? posting.queryHeads.size() : 0);
  head.taken = peer.takenTold = peer.taken;
  head.nSeals = static_cast<uint32_t>(posting.seals.empty() ? 0 : kSeals);
  auto message = take(peer);
  append(message->bytes, &head, 1);
  if (head.nSeals) append(message->bytes, posting.seals.data() + peer.rank * kSeals, kSeals);
  if (withRecord) {
    append(message->bytes, posting.record, 1);
    append(message->bytes, posting.tokens.data(), posting.tokens.size());
    append(message->bytes, posting.queryHeads.data(), posting.queryHeads.size());
  }
  post(peer, UcxMessage::Announce, std::move(message));
}

Result UcxPath::publish(const Posting& posting, Deadline) noexcept {
  const bool withRecord =
      std::ranges::none_of(own_, [&](const Own& own) { return own.sequence && own.recordId == posting.recordId; });
  own_[posting.sequence % kUcxRing] = {posting.sequence, posting.recordId, posting.tokens, posting.queryHeads};
  try {
    for (size_t step = 1; step < peers_.size(); ++step) {
      UcxPeer& peer = *peers_[(static_cast<size_t>(options_.rank) + step) % peers_.size()];
      if (peer.isOurs() && isOpen(peer)) announceTo(peer, posting, withRecord);
    }
  } catch (const std::bad_alloc&) {
    return Result::OutOfMemory;
  }
  progress();
  return Result::Success;
}

std::optional<Announcement> UcxPath::announcement(int peer, uint64_t sequence) noexcept {
  static constexpr TensorRef kNowhere[kMaxTensors] = {};
  const UcxPeer::Slot* slot = at(peer).find(sequence);
  if (!slot && progress()) slot = at(peer).find(sequence);
  if (!slot) return std::nullopt;
  return Announcement{slot->callHash, slot->strideHash, slot->poisoned, kNowhere,
                      options_.verify ? slot->seals : nullptr};
}

const CallRecord& UcxPath::record(int peer, uint64_t sequence) const noexcept {
  return at(peer).find(sequence)->record->call;
}

int64_t UcxPath::tokensOf(int peer, uint64_t sequence, int index) const noexcept {
  const auto place = static_cast<size_t>(index);
  if (peer == options_.rank) return own_[sequence % kUcxRing].tokens[place];
  const auto& tokens = at(peer).find(sequence)->record->tokens;
  return place < tokens.size() ? tokens[place] : 0;
}

int64_t UcxPath::queryHeadsOf(int peer, uint64_t sequence, int index) const noexcept {
  const auto place = static_cast<size_t>(index);
  if (peer == options_.rank) return own_[sequence % kUcxRing].queryHeads[place];
  const auto& heads = at(peer).find(sequence)->record->queryHeads;
  return place < heads.size() ? heads[place] : 0;
}

void UcxPath::finish(uint64_t sequence) noexcept { finished_ = sequence; }

/// UCX moves on what it holds in this rank's calls only, so a rank that goes off to compute must leave nothing there.
/// Requests tell: large messages are written from where they lie, and complete when the kernel has all of them (an
/// endpoint's flush would say it too, but 1.13.1's over TCP is now and then never done).
bool UcxPath::finished(int of, uint64_t sequence) const noexcept {
  const UcxPeer& peer = at(of);
  if (peer.departed && peer.departedAfter >= sequence) return true;
  if (peer.underWay > 0) progress();
  return sequence <= finished_ && peer.underWay == 0;
}

void UcxPath::sleep() noexcept {
  constexpr useconds_t kNapUs = 100;
  if (!progress()) usleep(kNapUs);
}

std::optional<std::string> UcxPath::lost(int of) {
  progress();
  const UcxPeer& peer = at(of);
  const std::string who = formatText("pid {} on host {}", peer.pid, peer.host);
  if (peer.departed) return formatText("{} destroyed its communicator", who);
  if (peer.nonsense) return formatText("{} sent a message that {}", who, peer.nonsense);
  if (peer.failure == UCS_OK) return std::nullopt;
  return formatText(
      "the connection to {} failed ({}): its process ended, or the network between the hosts; see its error, and "
      "whether the interfaces that UCX may use reach each other (UCX_NET_DEVICES, UCX_TLS)",
      who, worker_->ucx().ucs_status_string(peer.failure));
}

std::string UcxPath::describe(int of) const {
  const UcxPeer& peer = at(of);
  const std::string who = formatText("pid {} on host {}", peer.pid, peer.host);
  if (!peer.endpoint) return who + ", no connection was opened yet";
  return formatText(
      "{}, connected, silent; of {} chunks to it {} were taken there and {} requests are under way, {} of it "
      "were taken here",
      who, peer.sent, peer.credited, peer.underWay, peer.taken);
}

/// From any thread; the rank's own tells the peers at its next step.
void UcxPath::revoke(const Cause& cause) noexcept {
  uint32_t expected = kNone;
  if (!causeState_.compare_exchange_strong(expected, kWriting)) return;
  cause_ = cause;
  causeState_.store(kWritten, std::memory_order_release);
}

void UcxPath::tellTaken(UcxPeer& peer) noexcept {
  peer.takenTold = peer.taken;
  tell(peer, UcxMessage::Credit, UcxCredit{.from = options_.rank, .reserved = 0, .taken = peer.taken});
}

void UcxPath::tellCause() noexcept {
  toldCause_ = true;
  const UcxCause message{.from = options_.rank, .reserved = 0, .cause = cause_};
  for (const auto& peer : peers_)
    if (peer->isOurs()) tell(*peer, UcxMessage::Cause, message);
  if (!isStill_) worker_->progress();
}

/// The peers must have all before the connection ends: what is closed with something unread takes back what was sent.
void UcxPath::depart() noexcept {
  constexpr int64_t kLingerMs = 1000;
  const Deadline deadline = Deadline::inMs(kLingerMs);
  if (isRevoked() && !toldCause_) tellCause();
  const UcxDepart message{.from = options_.rank, .reserved = 0, .finished = finished_};
  const auto isTalking = [](const UcxPeer& peer) { return peer.endpoint && !peer.isBroken() && !peer.departed; };
  for (const auto& peer : peers_)
    if (isTalking(*peer)) tell(*peer, UcxMessage::Depart, message);
  const auto owes = [&](const auto& peer) { return isTalking(*peer) && peer->credited != peer->sent; };
  while (!isRevoked() && std::ranges::any_of(peers_, owes) && !deadline.passed()) worker_->progress();
  std::vector<ucp_ep_h> endpoints;
  for (const auto& peer : peers_)
    if (peer->endpoint) endpoints.push_back(peer->endpoint);
  isClosed_ = true;  // what still comes in is not answered: endpoints are going
  worker_->close(endpoints);
}

UcxPath::~UcxPath() {
  for (const auto& peer : peers_)
    for (const auto& receive : peer->receives)
      if (receive.request) worker_->cancel(receive.request);
  // Last words that lie here already are read: UCX 1.13.1 takes up connections anew to tell something to a peer that
  // has gone. For the same reason it makes no progress when its endpoints are closed: it would answer what still comes
  // in, by a connection of its own, and has aborted the process where that was refused.
  constexpr int kMostSteps = 1000;
  for (int i = 0; i < kMostSteps && !isStill_ && worker_->progress(); ++i) continue;
  if (!isStill_) depart();
  worker_.reset();  // before the memory that its requests refer to
}

}  // namespace ulysses
