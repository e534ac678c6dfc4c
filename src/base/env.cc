// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/log.h"

namespace ulysses::env {
namespace {

constexpr Variable kTable[] = {
    {"ULYSSES_DEBUG", "WARN", "NONE, VERSION, WARN, INFO, TRACE", "how much is logged"},
    {"ULYSSES_DEBUG_SUBSYS", "ALL", "INIT, BOOTSTRAP, ENV, MEMORY, PLAN, EXCHANGE, PATH, TOPO, ALL, comma separated",
     "of which subsystems INFO and TRACE are logged; a ^ before the list: of all but these"},
    {"ULYSSES_DEBUG_FILE", "standard error", "a file name, with %h for host and %p for pid",
     "where the log goes, appended; created with mode 0600, never through a symbolic link"},
    {"ULYSSES_DUMP_FILE", "no file", "a file name, with %h host, %p pid, %r rank, %c communicator",
     "where the state of a communicator is written, as JSON, at a Mismatch and when it is revoked"},
    {"ULYSSES_TIMEOUT_MS", "600000", "1 .. 2^40", "deadline of one operation"},
    {"ULYSSES_INIT_TIMEOUT_MS", "600000", "1 .. 2^40", "deadline of communicator creation"},
    {"ULYSSES_INTERFACE", "127.0.0.1", "a name or an address",
     "network interface that ulyssesGetUniqueId listens on, and no other"},
    {"ULYSSES_ROOT", "unset", "HOST:PORT, [IPV6]:PORT",
     "where ranks that a launcher started meet: rank 0 listens there, and nowhere else"},
    {"ULYSSES_SECRET_FILE", "unset", "a file of yours, mode 0600",
     "its 32 or more bytes let ranks join at ULYSSES_ROOT or MASTER_ADDR; the same at all of them"},
    {"ULYSSES_INSECURE", "0", "0, 1", "1: meet at an address beyond loopback without a secret"},
    {"ULYSSES_PORT", "MASTER_PORT + 1", "1 .. 65535", "where ranks of torchrun meet, at MASTER_ADDR"},
    {"ULYSSES_RANK", "from the launcher", "0 .. ULYSSES_RANKS - 1",
     "which rank this process is, before any launcher's word"},
    {"ULYSSES_RANKS", "from the launcher", "1 .. 65536", "how many ranks there are"},
    {"ULYSSES_PATH", "auto", "auto, shm, ucx",
     "how ranks reach each other: shared memory within a host and UCX between hosts, or one of them only, which must "
     "work; rank 0's value holds for the group"},
    {"ULYSSES_TWO_LEVEL", "heads", "heads, flat, joined, auto",
     "what crosses between hosts: flat: from each rank to each; heads: but a KV head that several ranks of a host "
     "share "
     "once, both ways; joined: and all that a rank has for another host as one message, which ranks there pass on; "
     "auto: heads or joined, by the cost model, for each exchange; rank 0's value holds for the group"},
    {"ULYSSES_NET_DEVICES", "auto", "auto, nearest, any, or names",
     "network devices that this rank's UCX uses between hosts: auto: of the adapters for RDMA those nearest to its GPU "
     "or "
     "its cores, and all interfaces; nearest: and where there are no adapters, the nearest interfaces; any: what UCX "
     "likes; names (eth1, mlx5_0:1, mlx5_0, comma separated): these of its host only; a word of rank 0's holds for "
     "ranks "
     "that name none"},
    {"ULYSSES_GPU_ENGINE", "auto", "auto, sm, copy_engine",
     "what moves GPU tensors whose outputs are in windows: the GPU's multiprocessors or, where a call's layouts allow "
     "it, its copy engines; auto is sm; rank 0's value holds for the group"},
    {"ULYSSES_HOST_ID", "from the system", "any text",
     "ranks with different ones are taken to be on different hosts, to try out on one what there is between many"},
    {"ULYSSES_STAGING_BYTES", "1048576", "4096 .. 2^32",
     "window per rank for tensors in private memory; rank 0's value holds for the group"},
    {"ULYSSES_PLAN_CACHE", "64", "1 .. 65536", "plans a communicator keeps, least recently used dropped"},
    {"ULYSSES_PROGRESS_THREAD", "0", "0, 1", "1: a thread of the library moves started operations along"},
    {"ULYSSES_VERIFY", "0", "0, 1",
     "1: every rank checks what arrived against hashes of what was announced; rank 0's value holds for the group"},
    {"ULYSSES_STREAM_BYTES", "from the caches", "0 .. 2^62",
     "a rank that receives more than this in one exchange stores around the cache (non-temporal)"},
    {"ULYSSES_GPU_BLOCKS", "0", "0 .. 65535",
     "most thread blocks of a rank's exchange of GPU memory, of 256 threads each; 0: all that its share of the GPU "
     "holds at once"},
};

const Variable& find(const char* name) {
  for (const Variable& variable : kTable)
    if (std::string_view(variable.name) == name) return variable;
  raise(Result::InternalError, "environment variable {} is not in the table", name);
}

/// Read by tests and tools of this project.
constexpr const char* kOthers[] = {"ULYSSES_TEST_CASES",       "ULYSSES_TEST_SEED",      "ULYSSES_TEST_POINT",
                                   "ULYSSES_TEST_START_US",    "ULYSSES_PERF",           "ULYSSES_LIBRARY",
                                   "ULYSSES_SOAK_CYCLES",      "ULYSSES_SOAK_EXCHANGES", "ULYSSES_TEST_RANKS_PER_HOST",
                                   "ULYSSES_ATTENTION_LIBRARY"};

/// Insertions, deletions and exchanges of a letter that make one word of the other.
size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t exchanged = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, exchanged});
    }
  }
  return row.back();
}

}  // namespace

std::string unknownText(std::string_view name) {
  if (!name.starts_with("ULYSSES_") || std::ranges::find(kOthers, name) != std::end(kOthers)) return "";
  const auto distance = [&](const Variable& variable) { return editDistance(name, variable.name); };
  const Variable& nearest = *std::ranges::min_element(kTable, {}, distance);
  if (name == nearest.name) return "";
  return formatText("environment variable {} is not known; is {} meant? docs/environment.md has them all", name,
                    nearest.name);
}

void warnOfUnknown() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (char** entry = environ; entry && *entry; ++entry) {
      const std::string_view line = *entry;
      if (const std::string text = unknownText(line.substr(0, line.find('='))); !text.empty())
        log::warn(log::Subsystem::Env, "{}", text);
    }
  });
}

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

int choice(const char* name, std::initializer_list<std::string_view> words) {
  const Variable& variable = find(name);
  const char* value = text(name);
  if (!value) return 0;
  const auto* const at = std::ranges::find(words, std::string_view(value));
  require(at != words.end(), "environment variable {}={}: want one of {}; unset it for the default {}", name, value,
          variable.values, variable.defaultText);
  return static_cast<int>(at - words.begin());
}

}  // namespace ulysses::env
