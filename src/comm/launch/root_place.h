// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The address where ranks meet rank 0, when it is given to all of them.
#pragma once
#include <string>
#include <vector>

#include "comm/bootstrap/unique_id.h"

namespace ulysses {

struct RootPlace {
  std::string origin{};  // the variables that say so, with their values, for messages
  std::string host{};
  uint16_t port = 0;
};

/// Of ULYSSES_ROOT=HOST:PORT or [ADDRESS]:PORT. Throws InvalidArgument.
RootPlace parseRoot(const std::string& value);

/// Its addresses, IPv4 first, at most as many as an id holds. Throws InvalidArgument: the name is unknown, or stands
/// for all interfaces.
std::vector<UniqueId::Endpoint> resolve(const RootPlace& place);

bool isLoopback(const UniqueId::Endpoint& endpoint);

}  // namespace ulysses
