// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

namespace ulysses {

const char* textOf(Result result) noexcept {
  switch (result) {
#define ULYSSES_CASE(name, value, text) \
  case Result::name:                    \
    return text;
    ULYSSES_RESULT_LIST(ULYSSES_CASE)
#undef ULYSSES_CASE
  }
  return "unknown result";
}

const char* nameOf(Result result) noexcept {
  switch (result) {
#define ULYSSES_CASE(name, value, text) \
  case Result::name:                    \
    return #name;
    ULYSSES_RESULT_LIST(ULYSSES_CASE)
#undef ULYSSES_CASE
  }
  return "Unknown";
}

}  // namespace ulysses
