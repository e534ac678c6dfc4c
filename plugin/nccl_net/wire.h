// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the two ends of a connection tell each other beside UCX: the handle that NCCL carries, and records on the
// control socket, which both ends keep as long as they live. All plain data of hosts with the same byte order.
#pragma once
#include <cstdint>
#include <type_traits>

#include "abi/common.h"
#include "socket_address.h"

namespace ulysses::nccl {

inline constexpr uint64_t kWireMagic = 0x31304c4e5359'4c55;  // "ULYSNL01"; the last digits are the version

/// What listen() writes and connect() reads.
struct Handle {
  uint64_t magic = kWireMagic;
  uint64_t token = 0;  // random: whoever has it may connect
  SocketAddress address;
  uint64_t pending = 0;  // of the connector's side: which of its connections this one is, over repeated calls
};
static_assert(sizeof(Handle) <= kHandleBytes && std::is_trivially_copyable_v<Handle>);

/// The first words of the connector.
struct Hello {
  uint64_t magic = kWireMagic;
  uint64_t token = 0;
};

/// The acceptor's answer, with the address of its UCX worker behind it.
struct Reply {
  uint64_t magic = kWireMagic;
  uint32_t addressBytes = 0;
  uint32_t reserved = 0;
};
inline constexpr uint32_t kMaxAddressBytes = 65536;

enum class FrameKind : uint32_t {
  Credit = 1,  // receiver: so many messages and bytes of a tag were taken
  Bye = 2,     // either: I close; from the sender, with the messages it sent in all
  Taken = 3,   // receiver, after the sender's Bye: all of them arrived
  Abort = 4,   // sender: I close, and not all of what I began to send will come
};

/// What they say afterwards.
struct Frame {
  FrameKind kind = FrameKind::Credit;
  int32_t tag = 0;
  uint64_t messages = 0;
  uint64_t bytes = 0;
};
static_assert(sizeof(Frame) == 24);

}  // namespace ulysses::nccl
