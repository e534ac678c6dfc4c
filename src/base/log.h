// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The log: one line a message, written by one call, to standard error or ULYSSES_DEBUG_FILE. Level and subsystems are
// those of ULYSSES_DEBUG and ULYSSES_DEBUG_SUBSYS at the first message. Takes no lock, so that it works after fork. On
// the data path there is one question only, `traces`, a load and a branch.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/format.h"

namespace ulysses::log {

enum class Level { None, Version, Warn, Info, Trace };

/// What a message is about: bits of a mask.
enum class Subsystem : uint32_t {
  Init = 1,
  Bootstrap = 2,
  Env = 4,
  Memory = 8,
  Plan = 16,
  Exchange = 32,
  Path = 64,
  Topo = 128
};
inline constexpr uint32_t kAllSubsystems = 255;

/// The subsystem of a message and, where it is known, who says it: "rank 0/4 comm demo".
struct About {
  // Implicit: most messages have a subsystem only.
  About(Subsystem which, std::string_view who = {}) : subsystem(which), whoText(who) {}  // NOLINT
  Subsystem subsystem;
  std::string_view whoText;
};

/// What the environment asks for. Bad values are left out, and `complaint` tells.
struct Choice {
  Level level = Level::Warn;
  uint32_t subsystems = kAllSubsystems;
  std::string complaint;
};
/// From the values of ULYSSES_DEBUG and ULYSSES_DEBUG_SUBSYS, null when unset. Letters' case does not count.
Choice choose(const char* level, const char* subsystems);

namespace detail {
inline constinit std::atomic<uint32_t> traced{0};  // subsystems that are traced; 0 until the environment was read
void write(Level level, const About& about, fmt::string_view text, fmt::format_args arguments) noexcept;
}  // namespace detail

/// Reads the environment, if that was not done; whatever traces must have called it before.
void start() noexcept;
/// Whether such messages are written. Warnings are, whatever their subsystem.
bool shows(Level level, Subsystem subsystem) noexcept;
/// Whether TRACE is on for a subsystem.
inline bool traces(Subsystem subsystem) noexcept {
  return (detail::traced.load(std::memory_order_relaxed) & static_cast<uint32_t>(subsystem)) != 0;
}

template <typename... Args>
void message(Level level, const About& about, fmt::format_string<Args...> text, Args&&... args) noexcept {
  if (shows(level, about.subsystem)) detail::write(level, about, text, fmt::make_format_args(args...));
}
template <typename... Args>
void warn(const About& about, fmt::format_string<Args...> text, Args&&... args) noexcept {
  message(Level::Warn, about, text, std::forward<Args>(args)...);
}
template <typename... Args>
void info(const About& about, fmt::format_string<Args...> text, Args&&... args) noexcept {
  message(Level::Info, about, text, std::forward<Args>(args)...);
}
template <typename... Args>
void trace(const About& about, fmt::format_string<Args...> text, Args&&... args) noexcept {
  message(Level::Trace, about, text, std::forward<Args>(args)...);
}

/// The library's version, once a process, when the level is VERSION or INFO and above.
void showVersion(uint32_t versionCode) noexcept;

}  // namespace ulysses::log
