// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <list>
#include <memory>

#include "base/clock.h"
#include "control_socket.h"
#include "devices.h"
#include "recv_comm.h"
#include "wire.h"

namespace ulysses::nccl {

/// Where connectors arrive; each becomes a receiving end.
class Listener {
 public:
  /// Throws SystemError.
  explicit Listener(const NetDevice& device);

  /// What the connectors need.
  const Handle& handle() const noexcept { return handle_; }
  /// The next connector that has said its token, or null. Others are sent away. Throws SystemError.
  std::shared_ptr<RecvComm> accept();

 private:
  /// Who has connected and not introduced itself yet.
  struct Guest {
    ControlSocket control;
    Deadline until;
  };

  void takeGuests();
  std::shared_ptr<RecvComm> welcome(Guest& guest);

  const NetDevice& device_;
  UniqueFd fd_;
  Handle handle_;
  std::list<Guest> guests_;
};

}  // namespace ulysses::nccl
