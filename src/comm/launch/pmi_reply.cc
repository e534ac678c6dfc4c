// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/pmi_reply.h"

#include <algorithm>
#include <charconv>

namespace ulysses {

std::optional<PmiReply> PmiReply::parse(std::string_view line) {
  const bool printable = std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!printable || line.size() > kLongestPmiLine) return std::nullopt;
  PmiReply reply;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    if (word.empty()) continue;
    const size_t equals = word.find('=');
    if (equals == 0 || equals == std::string_view::npos || reply.nFields_ == kMostFields) return std::nullopt;
    const Field field{word.substr(0, equals), word.substr(equals + 1)};
    if (reply.find(field.key)) return std::nullopt;
    reply.fields_[reply.nFields_++] = field;
  }
  if (!reply.find("cmd")) return std::nullopt;
  return reply;
}

std::optional<std::string_view> PmiReply::find(std::string_view key) const {
  for (size_t i = 0; i < nFields_; ++i)
    if (fields_[i].key == key) return fields_[i].value;
  return std::nullopt;
}

std::optional<int> PmiReply::number(std::string_view key) const {
  const auto text = find(key);
  if (!text) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace ulysses
