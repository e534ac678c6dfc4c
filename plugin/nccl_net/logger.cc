// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "logger.h"

#include <atomic>

#include "base/log.h"

namespace ulysses {
namespace {

std::atomic<nccl::DebugLogger> current{nullptr};

nccl::LogLevel levelOf(log::Level level) noexcept {
  switch (level) {
    case log::Level::Warn:
      return nccl::LogLevel::Warn;
    case log::Level::Trace:
      return nccl::LogLevel::Trace;
    default:
      return nccl::LogLevel::Info;
  }
}

unsigned long flagsOf(log::Subsystem subsystem) noexcept {
  if (subsystem == log::Subsystem::Env) return nccl::kLogEnv;
  return subsystem == log::Subsystem::Init ? nccl::kLogInit | nccl::kLogNet : nccl::kLogNet;
}

}  // namespace

namespace nccl {
void setLogger(DebugLogger logger) noexcept { current.store(logger); }
}  // namespace nccl

namespace log {

bool shows(Level level, Subsystem) noexcept { return level <= Level::Info && current.load() != nullptr; }

void detail::write(Level level, const About& about, fmt::string_view text, fmt::format_args arguments) noexcept {
  try {
    const std::string line = ulysses::detail::formatArguments(text, arguments);
    if (const nccl::DebugLogger logger = current.load())
      logger(levelOf(level), flagsOf(about.subsystem), "nccl_net", 0, "NET/Ulysses : %s", line.c_str());
  } catch (...) {  // out of memory while logging: the message is lost, the program is not
  }
}

}  // namespace log
}  // namespace ulysses
