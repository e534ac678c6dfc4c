// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/clock.h"
#include "connection.h"
#include "window.h"

namespace ulysses::nccl {

/// The sending end. It is there as soon as the peer's listener is reached; messages go once the peer has accepted.
class SendComm final : public Connection {
 public:
  SendComm(ControlSocket control, const NetDevice& device, uint64_t token);
  ~SendComm() override;

  /// Null: not now, ask again. After a failure the request tells it.
  Request* isend(const void* data, size_t bytes, int tag, ucs_memory_type_t type);
  bool close() noexcept override;

 private:
  void onRecords() override;
  bool look() override;
  bool takeReply();
  void open(std::span<const std::byte> address);
  bool mayGo(int tag, size_t bytes);
  void onFrame(const Frame& frame);
  Request* post(const void* data, size_t bytes, int tag, ucs_memory_type_t type);
  void shutDown() noexcept override;
  void onSent(Part& part, ucs_status_t status) noexcept;

  ucp_ep_h endpoint_ = nullptr;
  uint64_t sent_ = 0;
  AmountsByTag ahead_;
  bool peerClosed_ = false, allTaken_ = false;
  std::optional<Deadline> lingerUntil_;
};

}  // namespace ulysses::nccl
