// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A rank's connection to the rendezvous.
#pragma once
#include <functional>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "comm/bootstrap/wire.h"

namespace ulysses {

/// Nobody serves this id there, so far; `reason` is the short form of the text.
class NotYet : public Error {
 public:
  NotYet(Result result, const std::string& text, std::string why, bool broken = false)
      : Error(result, text), reason(std::move(why)), mayBeBroken(broken) {}
  std::string reason;
  bool mayBeBroken;  // a connection ended before anybody had said who is there
};

/// The connection ended: another one may fare better.
class BrokenLine : public Error {
 public:
  using Error::Error;
};

/// Every wait ends by the deadline, with Timeout, and calls `watch` now and then.
class Line {
 public:
  /// The first of the id's endpoints that answers; all are tried at once. Throws NotYet that names each.
  Line(const UniqueId& id, Deadline deadline, std::function<void()> watch);
  /// One that is connected; `where` names the other end.
  Line(UniqueFd socket, std::string where, Deadline deadline);

  template <typename T>
  void send(const T& message) {
    transfer(const_cast<T*>(&message), sizeof message, true);
  }
  template <typename T>
  T receive() {
    T message;
    transfer(&message, sizeof message, false);
    if (message.magic != T::kMagic) raise(Result::SystemError, "what answers at {} is no rendezvous of ours", where_);
    return message;
  }
  /// All of the bytes, either way.
  void transfer(void* data, size_t bytes, bool sending);
  /// Whether the other end has said something, or has ended.
  bool isReadable() const noexcept;
  void watch() const {
    if (watch_) watch_();
  }
  const std::string& where() const { return where_; }
  /// Of this end, without a port. Throws SystemError.
  std::string ownAddress() const;
  /// It has shown that it is a rendezvous: when the connection ends from now on, it is not that nobody serves.
  void setServed() { served_ = true; }

  Session session;

 private:
  [[noreturn]] void raiseTimeout() const;
  [[noreturn]] void raiseClosed(const char* how) const;

  UniqueFd socket_;
  bool served_ = false;
  std::string where_, source_;
  Deadline deadline_;
  std::function<void()> watch_;
};

}  // namespace ulysses
