// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How ranks tell each other plain values when device memory is registered.
#pragma once
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace ulysses {

/// Gathers as many bytes of every rank, in rank order, at every rank; throws Error at all when one fails.
using AllGather = std::function<std::vector<std::byte>(std::span<const std::byte>)>;

/// What went wrong at a rank, "" for nothing.
using Problem = std::array<char, 240>;

inline Problem problemOf(const std::string& text) {
  char problem[std::tuple_size_v<Problem>] = {};
  copyText(problem, text);
  return std::to_array(problem);
}

/// Everybody's problem: the first is thrown at every rank.
inline void agree(std::span<const Problem> problems) {
  for (size_t rank = 0; rank < problems.size(); ++rank)
    if (problems[rank][0] != '\0')
      raise(Result::InvalidArgument, "rank {} cannot register its device memory, or map that of the others: {}", rank,
            problems[rank].data());
}

template <typename T>
std::vector<T> valuesOf(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Everybody's value, in rank order.
template <typename T>
std::vector<T> gathered(const AllGather& allGather, const T& mine) {
  return valuesOf<T>(allGather(std::as_bytes(std::span(&mine, 1))));
}

}  // namespace ulysses
