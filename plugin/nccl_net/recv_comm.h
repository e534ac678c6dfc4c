// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/clock.h"
#include "connection.h"
#include "window.h"

namespace ulysses::nccl {

/// The receiving end.
class RecvComm final : public Connection {
 public:
  /// Answers the connector with the address of its worker.
  RecvComm(ControlSocket control, const NetDevice& device);
  ~RecvComm() override;

  /// `n` receives, each of a message with its tag, in the order posted. Null: not now, ask again.
  Request* irecv(int n, void* const* data, const size_t* sizes, const int* tags, void* const* mhandles);
  bool close() noexcept override;

 private:
  void onRecords() override;
  bool look() override;
  void post(Part& part, void* data, size_t room, ucs_memory_type_t type);
  void onReceived(Part& part, ucs_status_t status, size_t bytes);
  void credit(int tag, size_t bytes);
  void lookForTheRest();
  void shutDown() noexcept override;

  AmountsByTag taken_;
  uint64_t arrived_ = 0;
  std::optional<uint64_t> sent_;  // by the peer in all, once it has closed
  bool aborted_ = false, thanked_ = false;
  std::optional<Deadline> restUntil_;  // the peer ended before all it sent had come
  uint64_t arrivedThen_ = 0;
};

}  // namespace ulysses::nccl
