// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "ulysses_coll.h"

namespace ulysses::test {

/// What of `parts` the text lacks, with the text, or "" when it has them all.
inline std::string missingFrom(const std::string& text, const std::vector<std::string>& parts) {
  std::string missing;
  for (const std::string& part : parts)
    if (text.find(part) == std::string::npos) missing += (missing.empty() ? "lacks '" : ", '") + part + "'";
  return missing.empty() ? "" : missing + " in: " + text;
}

inline std::string lastError(ulyssesComm_t comm = nullptr) { return ulyssesGetLastError(comm); }

/// "Timeout" rather than 6 in a failure.
inline std::string nameOf(ulyssesResult_t result) {
  return std::to_string(result) + " (" + ulyssesGetErrorString(result) + ")";
}

}  // namespace ulysses::test
