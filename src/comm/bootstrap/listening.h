// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Listening sockets of a rendezvous.
#pragma once
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "comm/bootstrap/interface.h"

namespace ulysses {

/// Listens at a port of the kernel's choice and puts it into `endpoint`. Throws SystemError.
UniqueFd listenAt(const HostAddress& address, UniqueId::Endpoint& endpoint);

/// Listens at a given port; empty, with the errno in *error, when it cannot be had by the deadline. A predecessor, in
/// this process or in one that was just killed, may need a moment to end.
UniqueFd listenAtGiven(const UniqueId::Endpoint& endpoint, int* error, Deadline deadline);

/// What to do about it. `origin` says where the port comes from.
[[noreturn]] void raiseCannotListen(const UniqueId::Endpoint& endpoint, const std::string& origin, int error);

}  // namespace ulysses
