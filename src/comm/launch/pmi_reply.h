// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One line of PMI-1's wire protocol: "cmd=NAME key=value key=value". From outside, so nothing of it is trusted.
#pragma once
#include <array>
#include <optional>
#include <string_view>

namespace ulysses {

inline constexpr size_t kLongestPmiLine = 4096;

/// A line without its end, cut up; views into it.
class PmiReply {
 public:
  /// nullopt for what is no such line: other bytes than printable ASCII, words that are no key=value, an empty or
  /// repeated key, too many fields, no cmd.
  static std::optional<PmiReply> parse(std::string_view line);

  std::string_view command() const { return *find("cmd"); }
  std::optional<std::string_view> find(std::string_view key) const;
  /// Whole and decimal, else nullopt.
  std::optional<int> number(std::string_view key) const;

 private:
  struct Field {
    std::string_view key, value;
  };
  static constexpr size_t kMostFields = 16;
  std::array<Field, kMostFields> fields_{};
  size_t nFields_ = 0;
};

}  // namespace ulysses
