// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Control messages of a peer: any bytes, with or without a descriptor. Whatever it says, what is resolved afterwards
// can be read. Each message of the input: a byte that says how it is sent, then its 32 bytes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "path/shm/fd_message.h"
#include "path/shm/peer.h"

using namespace ulysses;

namespace {

constexpr std::int64_t kFileBytes = 8192;

int makeFile() {
  setenv("ULYSSES_DEBUG", "NONE", 1);  // a warning per message is too much
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, kFileBytes) != 0) std::abort();
  return fd;
}

void say(int socket, std::uint8_t how, const std::uint8_t* data, std::size_t size) {
  FdMessage message;
  std::memcpy(static_cast<void*>(&message), data, std::min(size, sizeof message));
  if (how & 8) message.kind = static_cast<FdMessage::Kind>(1 + how % 5);
  static const int file = makeFile(), noFile = open("/dev/null", O_RDONLY | O_CLOEXEC);
  switch (how & 3) {
    case 0:
      (void)trySendMessage(socket, message, file);
      return;
    case 1:
      (void)trySendMessage(socket, message, -1);
      return;
    case 2:
      (void)trySendMessage(socket, message, noFile);
      return;
    default:
      (void)send(socket, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

void read(const std::byte* at) { (void)*static_cast<const volatile std::byte*>(at); }

void look(ShmPeer& peer, const FdMessage& about) {
  const Extent extents[] = {{0, 1}, {0, 4096}, {-64, 64}, {0, kFileBytes}, {about.offset, about.offset}};
  for (const Extent& extent : extents) {
    try {
      const std::byte* at = peer.resolve(
          {.segment = about.segment, .offset = static_cast<std::uint64_t>(about.offset), .address = about.bytes},
          extent);
      if (extent.end > extent.begin) read(at + extent.begin), read(at + extent.end - 1);
    } catch (const Error&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
  const UniqueFd theirs(ends[0]);
  ShmPeer peer(1, 0, UniqueFd(ends[1]));
  for (std::size_t i = 0; i < 8 && size > 1; ++i) {
    const std::size_t count = std::min(size - 1, sizeof(FdMessage));
    say(theirs.get(), data[0], data + 1, count);
    FdMessage about;
    std::memcpy(static_cast<void*>(&about), data + 1, count);
    peer.receiveAvailable();
    look(peer, about);
    data += 1 + count;
    size -= 1 + count;
  }
  for (const PassedFd& passed : peer.takePassed(1))
    if (passed.batch != 1) std::abort();
  const Mapping& window = peer.window();
  if (window.bytes() > 0) read(window.data() + window.bytes() - 1);
  return 0;
}
