// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include <cstdlib>

#include "base/check.h"

namespace ulysses::env {
namespace {

constexpr Variable kTable[] = {
    {"ULYSSES_DEBUG", "WARN", "NONE, WARN, INFO, TRACE", "how much is logged to standard error"},
    {"ULYSSES_TIMEOUT_MS", "600000", "1 .. 2^40", "deadline of one operation"},
    {"ULYSSES_INIT_TIMEOUT_MS", "600000", "1 .. 2^40", "deadline of communicator creation"},
    {"ULYSSES_INTERFACE", "127.0.0.1", "a name or an address",
     "network interface that ulyssesGetUniqueId listens on, and no other"},
    {"ULYSSES_STAGING_BYTES", "1048576", "4096 .. 2^32",
     "window per rank for tensors in private memory; rank 0's value holds for the group"},
    {"ULYSSES_PLAN_CACHE", "64", "1 .. 65536", "plans a communicator keeps, least recently used dropped"},
    {"ULYSSES_PROGRESS_THREAD", "0", "0, 1", "1: a thread of the library moves started operations along"},
    {"ULYSSES_STREAM_BYTES", "from the caches", "0 .. 2^62",
     "a rank that receives more than this in one exchange stores around the cache (non-temporal)"},
};

const Variable& find(const char* name) {
  for (const Variable& variable : kTable)
    if (std::string_view(variable.name) == name) return variable;
  raise(Result::InternalError, "environment variable {} is not in the table", name);
}

}  // namespace

std::span<const Variable> table() noexcept { return kTable; }

const char* text(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

int64_t integer(const char* name, int64_t fallback, int64_t low, int64_t high) {
  const Variable& variable = find(name);
  const char* value = text(name);
  if (!value) return fallback;
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(value, &end, 10);
  require(*end == '\0' && errno == 0 && number >= low && number <= high,
          "environment variable {}={}: want a whole number in {}; unset it for the default {}", name, value,
          variable.values, variable.defaultText);
  return number;
}

}  // namespace ulysses::env
