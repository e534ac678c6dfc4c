// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "base/unique_fd.h"
#include "socket_address.h"

namespace ulysses::nccl {

/// A TCP connection for records. Nothing here blocks; what cannot be written yet is kept.
class ControlSocket {
 public:
  /// An accepted connection.
  explicit ControlSocket(UniqueFd connected);
  /// Begins to connect. Throws SystemError, or RemoteLost when that is refused at once.
  static ControlSocket connectTo(const SocketAddress& peer);

  /// Whether it is connected by now; throws RemoteLost when it cannot be.
  bool connected();

  /// Queues a record, with what may follow it, and writes what goes.
  void writeBytes(std::span<const std::byte> bytes) noexcept;
  template <typename Record>
  void write(const Record& record) noexcept {
    static_assert(std::is_trivially_copyable_v<Record>);
    writeBytes(std::as_bytes(std::span(&record, 1)));
  }
  /// Writes on and reads what has come.
  void move();
  /// Whether nothing is left to write.
  bool written() const noexcept { return out_.empty(); }

  /// The next bytes that came, if that many did; `take` removes them.
  bool peekBytes(std::span<std::byte> bytes) const noexcept;
  bool takeBytes(std::span<std::byte> bytes) noexcept;
  template <typename Record>
  bool take(Record& record) noexcept {
    static_assert(std::is_trivially_copyable_v<Record>);
    return takeBytes(std::as_writable_bytes(std::span(&record, 1)));
  }
  template <typename Record>
  bool peek(Record& record) const noexcept {
    static_assert(std::is_trivially_copyable_v<Record>);
    return peekBytes(std::as_writable_bytes(std::span(&record, 1)));
  }
  /// Bytes that came and were not taken.
  size_t waiting() const noexcept { return in_.size(); }
  /// The peer has closed it, or it broke; what came before can still be taken.
  bool ended() const noexcept { return ended_; }
  /// Closes it; the peer sees the end after what was written.
  void close() noexcept;

 private:
  void writeOn() noexcept;
  void readOn();

  UniqueFd fd_;
  SocketAddress peer_;
  bool connected_ = false, ended_ = false;
  std::vector<std::byte> in_, out_;
};

}  // namespace ulysses::nccl
