// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fault/rendezvous_ranks.h"
#include "fault/tcp_proxy.h"

namespace ulysses::test {

/// A rendezvous with a proxy before it: `id` leads to it directly, `through` by way of the proxy.
struct Proxied {
  explicit Proxied(TcpProxy::Choose choose, std::uint64_t seed = 1)
      : id(openRendezvous("127.0.0.1")), proxy(addressOf(id.endpoints[0]).storage, std::move(choose), seed) {
    through = id;
    through.endpoints[0].port = proxy.port();
  }
  UniqueId id, through;
  TcpProxy proxy;
};

/// These faults for the first connection, none for those after it.
inline TcpProxy::Choose onlyFirst(const ConnectionFaults& faults) {
  return [faults](int connection) { return connection == 0 ? faults : ConnectionFaults{}; };
}

}  // namespace ulysses::test
