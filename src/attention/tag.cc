// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/tag.h"

#include <bit>

namespace ulysses::attention {
namespace {

/// FNV-1a, 64 bits, over values whose bytes are the same on every rank.
class Hash {
 public:
  void add(uint64_t value) {
    for (int byte = 0; byte < 8; ++byte, value >>= 8) hash_ = (hash_ ^ (value & 0xff)) * 0x100000001b3u;
  }
  void add(const float* values, int64_t count) {
    add(static_cast<uint64_t>(values != nullptr));
    for (int64_t i = 0; values != nullptr && i < count; ++i) add(std::bit_cast<uint32_t>(values[i]));
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace

uint64_t tagOf(const Request& request) {
  const ulyssesAttentionOptions_t& options = request.options;
  Hash hash;
  for (const int64_t value : {int64_t{request.backward}, int64_t{options.causal}, options.windowLeft,
                              options.windowRight, int64_t{options.headGroups}, int64_t{request.groups}})
    hash.add(static_cast<uint64_t>(value));
  hash.add(std::bit_cast<uint64_t>(options.scale));
  hash.add(options.sinks, request.geometry.heads);
  hash.add(options.slopes, request.geometry.heads);
  hash.add(request.geometry.tag);
  return hash.value() | 1;
}

std::string textOf(const float* values, int64_t count) {
  if (values == nullptr) return "none";
  Hash hash;
  hash.add(values, count);
  return formatText("#{:08x}", hash.value() >> 32);
}

bool namesTag(const std::string& text) { return text.find(": tag: rank ") != std::string::npos; }

}  // namespace ulysses::attention
