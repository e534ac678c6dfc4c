// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/geometry_spec.h"

#include <cstring>

namespace ulysses::test {

namespace {

const std::int64_t* pointerOrNull(const std::vector<std::int64_t>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

ulyssesGeometry_t GeometrySpec::toC() const {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = sequence;
  geometry.batch = batch;
  geometry.heads = heads;
  geometry.kvHeads = kvHeads;
  static_assert(sizeof(geometry.order) == sizeof(order));
  std::memcpy(&geometry.order, &order, sizeof(order));
  geometry.tokens = pointerOrNull(tokens);
  geometry.queryHeads = pointerOrNull(queryHeads);
  geometry.cuSeqlens = pointerOrNull(cuSeqlens);
  geometry.nSequences = nSequences;
  return geometry;
}

std::string toText(const std::vector<std::int64_t>& values) {
  if (values.empty()) return "NULL";
  std::string text = "[";
  for (const std::int64_t value : values) text += (text.size() > 1 ? " " : "") + std::to_string(value);
  return text + "]";
}

std::string toText(const GeometrySpec& geometry) {
  return "S=" + std::to_string(geometry.sequence) + " B=" + std::to_string(geometry.batch) +
         " H=" + std::to_string(geometry.heads) + " Hkv=" + std::to_string(geometry.kvHeads) +
         " order=" + (geometry.order == ulyssesOrderZigzag ? "zigzag" : std::to_string(geometry.order)) +
         " tokens=" + toText(geometry.tokens) + " queryHeads=" + toText(geometry.queryHeads) +
         " cuSeqlens=" + toText(geometry.cuSeqlens) + " nSequences=" + std::to_string(geometry.nSequences);
}

}  // namespace ulysses::test
