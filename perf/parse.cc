// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "parse.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>

namespace ulysses::perf {
namespace {

template <typename Number>
std::optional<Number> numberFrom(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

int64_t parseInteger(std::string_view option, std::string_view text, int64_t least, int64_t most) {
  const auto value = numberFrom<int64_t>(text);
  if (!value || *value < least || *value > most) {
    const std::string range = most == std::numeric_limits<int64_t>::max() ? fmt::format("{} or more", least)
                                                                          : fmt::format("{} to {}", least, most);
    throw InputError(fmt::format("{} {}: give an integer, {}", option, text, range));
  }
  return *value;
}

int64_t parseBytes(std::string_view option, std::string_view text) {
  constexpr std::string_view kSuffixes = "KMGT";
  constexpr int64_t kMostBytes = int64_t{1} << 44;
  int shift = 0;
  std::string_view digits = text;
  if (!text.empty()) {
    const char last = static_cast<char>(text.back() & ~0x20);  // upper case
    const size_t place = kSuffixes.find(last);
    if (place != std::string_view::npos) {
      shift = 10 * static_cast<int>(place + 1);
      digits.remove_suffix(1);
    }
  }
  const auto value = numberFrom<int64_t>(digits);
  if (!value || *value < 1 || *value > kMostBytes >> shift) {
    throw InputError(
        fmt::format("{} {}: give a size in bytes from 1 to 16T, such as 65536, 64K, 4M or 1G", option, text));
  }
  return *value << shift;
}

double parseFactor(std::string_view option, std::string_view text) {
  const auto value = numberFrom<double>(text);
  if (!value || !(*value > 1) || *value > 1e6) {
    throw InputError(fmt::format("{} {}: give a factor above 1, such as 2", option, text));
  }
  return *value;
}

std::vector<std::string> splitList(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    parts.emplace_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

std::vector<int64_t> parseIntegers(std::string_view option, std::string_view text) {
  std::vector<int64_t> values;
  for (const std::string& part : splitList(text)) {
    const auto value = numberFrom<int64_t>(part);
    if (!value || *value < 0) {
      throw InputError(fmt::format("{} {}: '{}' is no count; give one per rank, separated by commas, such as 4,0,4",
                                   option, text, part));
    }
    values.push_back(*value);
  }
  return values;
}

}  // namespace ulysses::perf
