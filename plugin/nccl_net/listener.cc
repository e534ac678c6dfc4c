// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "listener.h"

#include <sys/random.h>

#include "base/check.h"
#include "base/log.h"
#include "transport.h"

namespace ulysses::nccl {
namespace {

constexpr size_t kMaxGuests = 256;
constexpr int64_t kGuestMs = 60'000;

uint64_t randomToken() {
  uint64_t token = 0;
  if (getrandom(&token, sizeof token, 0) != sizeof token) raiseErrno("getrandom");
  return token;
}

SocketAddress addressOf(int fd) {
  sockaddr_storage bound{};
  socklen_t bytes = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bytes) != 0) raiseErrno("getsockname");
  return SocketAddress::from(reinterpret_cast<sockaddr*>(&bound));
}

}  // namespace

Listener::Listener(const NetDevice& device)
    : device_(device), fd_(::socket(device.address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  if (!fd_) raiseErrno("socket");
  sockaddr_storage address;
  const socklen_t bytes = device.address.into(address);
  if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), bytes) != 0)
    raise(Result::SystemError, "device {}: listening at {} failed: {} (errno {})", device.name, device.address.text(),
          std::strerror(errno), errno);
  if (::listen(fd_.get(), SOMAXCONN) != 0) raiseErrno("listen");
  handle_.token = randomToken();
  handle_.address = addressOf(fd_.get());
}

std::shared_ptr<RecvComm> Listener::accept() {
  takeGuests();
  for (auto guest = guests_.begin(); guest != guests_.end();) {
    const auto current = guest++;
    if (std::shared_ptr<RecvComm> made = welcome(*current)) {
      guests_.erase(current);
      return made;
    }
    if (current->control.ended() || current->until.passed()) guests_.erase(current);
  }
  return nullptr;
}

void Listener::takeGuests() {
  while (guests_.size() < kMaxGuests) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      guests_.push_back({ControlSocket(std::move(fd)), Deadline::inMs(kGuestMs)});
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // A connection that failed before it was taken concerns nobody.
    if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) raiseErrno("accept4");
  }
}

std::shared_ptr<RecvComm> Listener::welcome(Guest& guest) {
  guest.control.move();
  Hello hello;
  if (!guest.control.take(hello)) return nullptr;
  if (hello.magic != kWireMagic || hello.token != handle_.token) {
    log::info(log::Subsystem::Path, "a stranger connected to the listener at {} and was sent away",
              handle_.address.text());
    guest.control.close();
    return nullptr;
  }
  return std::make_shared<RecvComm>(std::move(guest.control), device_);
}

}  // namespace ulysses::nccl
