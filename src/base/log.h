// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The log sink: one line per message to standard error, level from ULYSSES_DEBUG. Never on the data path.
#pragma once
#include <string>

#include "base/format.h"

namespace ulysses::log {

enum class Level { None, Warn, Info, Trace };

Level level() noexcept;
void write(Level level, const std::string& line) noexcept;

template <typename... Args>
void message(Level at, fmt::format_string<Args...> text, Args&&... args) {
  if (at <= level()) write(at, formatText(text, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) {
  message(Level::Warn, text, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  message(Level::Info, text, std::forward<Args>(args)...);
}

}  // namespace ulysses::log
