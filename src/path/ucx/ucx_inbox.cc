// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What UCX calls when something came in, or a connection failed.
#include "path/ucx/ucx_path.h"

namespace ulysses {

template <auto Take>
ucs_status_t UcxPath::onMessage(void* self, const void*, size_t, void* data, size_t bytes,
                                const ucp_am_recv_param_t* param) noexcept {
  auto* path = static_cast<UcxPath*>(self);
  const bool isHere = !(param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV);
  try {
    if (isHere) (path->*Take)({static_cast<const std::byte*>(data), bytes});
  } catch (const std::bad_alloc&) {
    path->inbox_.drop();
  }
  return UCS_OK;
}

template <typename T>
void UcxPath::takeForCouncil(std::span<const std::byte> message) noexcept {
  if (const auto said = inbox_.takeWhole<T>(message)) council_.hear(*said);
}

void UcxPath::hearMessages() {
  const auto hear = [&](UcxMessage id, ucp_am_recv_callback_t callback) {
    worker_->onMessage(static_cast<unsigned>(id), callback, this);
  };
  hear(UcxMessage::Announce, onMessage<&UcxPath::takeAnnounce>);
  hear(UcxMessage::Credit, onMessage<&UcxPath::takeCredit>);
  hear(UcxMessage::Cause, onMessage<&UcxPath::takeCause>);
  hear(UcxMessage::Depart, onMessage<&UcxPath::takeDepart>);
  hear(UcxMessage::Proposal, onMessage<&UcxPath::takeForCouncil<UcxProposal>>);
  hear(UcxMessage::Decision, onMessage<&UcxPath::takeForCouncil<UcxDecision>>);
  hear(UcxMessage::Offer, onMessage<&UcxPath::takeForCouncil<UcxOffer>>);
  hear(UcxMessage::Vote, onMessage<&UcxPath::takeForCouncil<UcxVote>>);
  hear(UcxMessage::Outcome, onMessage<&UcxPath::takeForCouncil<UcxOutcome>>);
}

void UcxPath::takeAnnounce(std::span<const std::byte> message) { inbox_.takeAnnounce(message, finished_); }

void UcxPath::takeCredit(std::span<const std::byte> message) { inbox_.takeCredit(message); }

void UcxPath::takeCause(std::span<const std::byte> message) {
  if (const auto cause = inbox_.takeCause(message)) revoke(*cause);
}

void UcxPath::takeDepart(std::span<const std::byte> message) {
  UcxPeer* const peer = inbox_.takeDepart(message);
  // It stays until it knows that its chunks were taken.
  if (peer && peer->taken != peer->takenTold) tellTaken(*peer);
}

void UcxPath::onFailure(void* peer, ucp_ep_h, ucs_status_t status) noexcept {
  static_cast<UcxPeer*>(peer)->fail(status);
}

}  // namespace ulysses
