// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "comm/bootstrap/wire.h"

namespace ulysses {

/// What a welcomed rank sends to the rendezvous, as it comes in: one Contact or Report after the other, told apart by
/// their magic. Knows sizes, not proofs.
class Mail {
 public:
  enum class Event { More, Contact, Report, Stranger };

  /// Where the next bytes go; never empty.
  std::span<std::byte> room() noexcept { return std::span(bytes_).subspan(filled_, wanted() - filled_); }
  /// So many came into room(). After Contact or Report the record is valid until the next call.
  Event received(size_t bytes) noexcept {
    filled_ += bytes;
    if (filled_ < sizeof(uint64_t)) return Event::More;
    if (wanted() == sizeof(uint64_t)) return Event::Stranger;
    if (filled_ < wanted()) return Event::More;
    filled_ = 0;
    return magic() == Contact::kMagic ? Event::Contact : Event::Report;
  }
  Contact contact() const noexcept { return as<Contact>(); }
  Report report() const noexcept { return as<Report>(); }

 private:
  uint64_t magic() const noexcept {
    uint64_t magic = 0;
    std::memcpy(&magic, bytes_.data(), sizeof magic);
    return magic;
  }
  size_t wanted() const noexcept {
    if (filled_ < sizeof(uint64_t)) return sizeof(uint64_t);
    if (magic() == Contact::kMagic) return sizeof(Contact);
    return magic() == Report::kMagic ? sizeof(Report) : sizeof(uint64_t);
  }
  template <typename T>
  T as() const noexcept {
    T record;
    std::memcpy(&record, bytes_.data(), sizeof record);
    return record;
  }

  std::array<std::byte, std::max(sizeof(Contact), sizeof(Report))> bytes_;
  size_t filled_ = 0;
};

}  // namespace ulysses
