// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// HMAC-SHA256 by OpenSSL, over parts that are taken one after another. Every use begins with a label of its own, so
// that no proof of one kind passes for another.
#pragma once
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#include "comm/bootstrap/unique_id.h"

namespace ulysses {

using Proof = std::array<uint8_t, 32>;

using Bytes = std::span<const std::byte>;

template <typename T>
Bytes bytesOf(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_bytes(std::span(&value, 1));
}

/// Throws SystemError.
Proof hmac(const Secret& key, std::string_view label, std::initializer_list<Bytes> parts);

/// In a time that does not depend on where they differ.
bool sameProof(const Proof& a, const Proof& b) noexcept;

}  // namespace ulysses
