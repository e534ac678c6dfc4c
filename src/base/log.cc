// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <unistd.h>

#include <string_view>

#include "base/env.h"

namespace ulysses::log {
namespace {

Level parse(const char* value) noexcept {
  if (!value) return Level::Warn;
  const std::string_view text = value;
  if (text == "NONE") return Level::None;
  if (text == "INFO") return Level::Info;
  if (text == "TRACE") return Level::Trace;
  if (text != "WARN")
    write(Level::Warn, formatText("ULYSSES_DEBUG={}: want NONE, WARN, INFO or TRACE; taken as WARN", text));
  return Level::Warn;
}

constexpr const char* kNames[] = {"", "WARN", "INFO", "TRACE"};

}  // namespace

Level level() noexcept {
  static const Level chosen = parse(env::text("ULYSSES_DEBUG"));
  return chosen;
}

void write(Level level, const std::string& line) noexcept {
  try {
    // One write call per line, so that lines of several ranks do not mix.
    const std::string whole = formatText("ulysses {} [{}] {}\n", kNames[static_cast<int>(level)], getpid(), line);
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, whole.data(), whole.size());
  } catch (...) {  // out of memory while logging: the message is lost, the program is not
  }
}

}  // namespace ulysses::log
