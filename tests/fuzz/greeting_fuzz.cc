// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a caller says to a rank's local socket before it is known to be a rank. A rank that calls after it gets in, and
// nobody else. Byte 0 of the input: 1 puts the right token behind the first four bytes.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "comm/mesh.h"

using namespace ulysses;

namespace {

UniqueFd callAndSay(const std::string& name, Bytes bytes) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) std::abort();
  (void)send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return socket;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  MeshListener listener;
  Membership membership;
  membership.ranks.resize(2);
  membership.ranks[1].rank = 1;
  membership.meshToken.fill(6);
  std::array<std::byte, 36> said{};
  std::memcpy(said.data(), data + 1, std::min(size - 1, said.size()));
  if (data[0] == 1) std::memcpy(said.data() + 4, membership.meshToken.data(), membership.meshToken.size());
  const UniqueFd stranger =
      callAndSay(listener.name(), data[0] < 2 ? Bytes(said) : std::as_bytes(std::span(data, size)).subspan(1));
  std::array<std::byte, 36> good{};
  good[0] = std::byte{1};
  std::memcpy(good.data() + 4, membership.meshToken.data(), membership.meshToken.size());
  const UniqueFd rank = callAndSay(listener.name(), good);
  try {
    std::vector<std::unique_ptr<ShmPeer>> peers;
    listener.connect(membership, std::array{0, 1}, 0, Deadline::inMs(5000), peers);
    if (peers.size() != 2 || peers[0] || !peers[1] || peers[1]->rank() != 1) std::abort();
  } catch (const Error& error) {
    std::fprintf(stderr, "the rank was kept out: %s\n", error.what());
    std::abort();
  }
  return 0;
}
