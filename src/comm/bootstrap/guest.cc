// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/bootstrap/guest.h"

#include <cstring>

namespace ulysses {

static_assert(sizeof(RankInfo) <= kMostInfoBytes);

Guest::Guest(const UniqueId& id, const Nonce& nonce) : session_{id.secret, id.tag, {}, nonce} {
  challenge_.nonce = nonce;
}

std::span<std::byte> Guest::room() {
  switch (state_) {
    case State::Hello:
      return std::as_writable_bytes(std::span(&hello_, 1)).subspan(filled_);
    case State::Introduction:
      return std::as_writable_bytes(std::span(&introduction_, 1)).subspan(filled_);
    case State::Info:
      return std::span(infoBytes_).first(introduction_.infoBytes).subspan(filled_);
    case State::Joined:
      break;
  }
  return {};
}

Guest::Event Guest::received(size_t bytes) {
  filled_ += bytes;
  if (!room().empty()) return Event::More;
  filled_ = 0;
  switch (state_) {
    case State::Hello:
      return takeHello();
    case State::Introduction:
      return takeIntroduction();
    case State::Info:
      return takeInfo();
    case State::Joined:
      break;
  }
  return Event::Stranger;
}

Guest::Event Guest::takeHello() {
  if (hello_.magic != Hello::kMagic) return Event::Stranger;
  state_ = State::Introduction;
  session_.rank = hello_.nonce;
  challenge_.otherId = hello_.tag != session_.tag;
  if (!challenge_.otherId) challenge_.proof = session_.rootProof();
  return Event::SendChallenge;
}

Guest::Event Guest::takeIntroduction() {
  if (introduction_.magic != Introduction::kMagic || introduction_.infoBytes == 0 ||
      introduction_.infoBytes > kMostInfoBytes)
    return Event::Stranger;
  state_ = State::Info;
  return Event::More;
}

Guest::Event Guest::takeInfo() {
  const Bytes info = std::span(infoBytes_).first(introduction_.infoBytes);
  if (!sameProof(introduction_.proof, session_.rankProof(info))) return Event::Stranger;
  state_ = State::Joined;
  if (introduction_.version == kBootstrapVersion && info.size() != sizeof info_) return Event::Stranger;
  if (introduction_.version == kBootstrapVersion) std::memcpy(&info_, info.data(), sizeof info_);
  info_.host[sizeof info_.host - 1] = info_.meshName[sizeof info_.meshName - 1] = 0;
  return Event::Joined;
}

}  // namespace ulysses
