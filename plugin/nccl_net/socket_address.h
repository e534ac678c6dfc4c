// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

namespace ulysses::nccl {

/// An IPv4 or IPv6 address with a port, as plain data that fits into NCCL's handle.
struct SocketAddress {
  uint16_t family = 0;
  uint16_t port = 0;  // in network order
  uint32_t scope = 0;
  std::array<uint8_t, 16> ip{};

  static SocketAddress from(const sockaddr* address) noexcept;
  /// The bytes of `to` that are used; 0: neither IPv4 nor IPv6.
  socklen_t into(sockaddr_storage& to) const noexcept;
  /// "10.0.0.1:4242", "[fd00::1]:4242".
  std::string text() const;
};
static_assert(sizeof(SocketAddress) == 24);

}  // namespace ulysses::nccl
