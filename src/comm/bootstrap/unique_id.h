// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>

namespace ulysses {

using Secret = std::array<uint8_t, 32>;

/// Of the unique id, of RankInfo and of everything that ranks say to each other later.
inline constexpr uint32_t kBootstrapVersion = 2;

/// The bytes of a public unique id. Never logged: it holds the secret that lets a process join.
struct UniqueId {
  static constexpr uint32_t kMagic = 0x31696c75;
  struct Endpoint {
    uint16_t family = 0;  // AF_INET or AF_INET6; 0: none
    uint16_t port = 0;    // host order
    uint8_t address[16] = {};
  };
  uint32_t magic = kMagic;
  uint32_t wireVersion = 0;
  uint64_t tag = 0;  // random: names the communicator in messages
  Secret secret{};
  Endpoint endpoints[3];
  uint8_t reserved[20] = {};
};
static_assert(sizeof(UniqueId) == 128);

/// Fills memory from the kernel's random source. Throws SystemError.
void fillRandom(void* data, size_t bytes);

}  // namespace ulysses
