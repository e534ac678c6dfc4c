// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "path/path.h"

namespace ulysses {

/// One rank's call, as read from its announcement.
struct AnnouncedCall {
  int rank;
  const CallRecord* record;
  Path* path;
  uint64_t sequence;
};

/// The first field in which two calls differ, with both ranks and both values, or nothing when they agree. Layouts
/// agree when the dimensions that both ranks can tell stand in the same order; strides may differ.
std::optional<std::string> firstDifference(const AnnouncedCall& a, const AnnouncedCall& b, int nRanks);

}  // namespace ulysses
