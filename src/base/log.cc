// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <strings.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>

#include "base/env.h"
#include "base/own_file.h"

namespace ulysses::log {
namespace {

constexpr std::array<const char*, 5> kLevels = {"NONE", "VERSION", "WARN", "INFO", "TRACE"};
constexpr std::array<const char*, 8> kSubsystems = {"INIT", "BOOTSTRAP", "ENV",  "MEMORY",
                                                    "PLAN", "EXCHANGE",  "PATH", "TOPO"};

/// What was chosen, and where lines go. Made once a process and again in a child whose file has another name.
struct Sink {
  Level level = Level::Warn;
  uint32_t subsystems = kAllSubsystems;
  std::string host;
  UniqueFd file;  // empty: standard error
  int pid = 0;
  bool hasPidInName = false;
  // Never freed: another thread may be writing to it. Of sinks only, so the chain is as long as the line of forks.
  const Sink* before = nullptr;

  int descriptor() const { return file ? file.get() : STDERR_FILENO; }
};

std::atomic<const Sink*> current{nullptr};

template <size_t N>
int indexIn(const std::array<const char*, N>& names, std::string_view word) {
  for (size_t i = 0; i < N; ++i)
    if (std::string_view(names[i]).size() == word.size() && strncasecmp(names[i], word.data(), word.size()) == 0)
      return static_cast<int>(i);
  return -1;
}

template <size_t N>
std::string listOf(const std::array<const char*, N>& names) {
  std::string text;
  for (const char* name : names) text += formatText("{}{}", text.empty() ? "" : ", ", name);
  return text;
}

uint32_t maskOf(std::string_view word, std::string_view all, std::string& complaint) {
  if (word.empty()) return 0;
  if (word.size() == 3 && strncasecmp(word.data(), "ALL", 3) == 0) return kAllSubsystems;
  if (const int index = indexIn(kSubsystems, word); index >= 0) return 1u << index;
  complaint += formatText("{}ULYSSES_DEBUG_SUBSYS={}: {} is no subsystem; there are {}, ALL",
                          complaint.empty() ? "" : "; ", all, word, listOf(kSubsystems));
  return 0;
}

uint32_t subsystemsOf(std::string_view text, std::string& complaint) {
  const bool excludes = text.starts_with('^');
  uint32_t mask = 0;
  for (std::string_view rest = text.substr(excludes ? 1 : 0);;) {
    const size_t comma = rest.find(',');
    mask |= maskOf(rest.substr(0, comma), text, complaint);
    if (comma == std::string_view::npos) break;
    rest = rest.substr(comma + 1);
  }
  return excludes ? kAllSubsystems & ~mask : mask;
}

std::string timeText() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[32];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return formatText("{}.{:06}Z", std::string_view(text, length), now.tv_nsec / 1000);
}

/// One write, so that lines of several ranks do not mix.
void writeLine(const Sink& sink, Level level, const About& about, std::string_view text) {
  const size_t index = static_cast<size_t>(__builtin_ctz(static_cast<uint32_t>(about.subsystem)));
  const std::string line =
      formatText("{} {}:{} {} {} {}{}{}\n", timeText(), sink.host, getpid(), kLevels[static_cast<size_t>(level)],
                 kSubsystems[index], about.whoText, about.whoText.empty() ? "" : ": ", text);
  while (::write(sink.descriptor(), line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

void openFile(Sink& sink, std::string& complaint) {
  const char* pattern = env::text("ULYSSES_DEBUG_FILE");
  if (!pattern) return;
  const std::string name = expandFileName(pattern, {.host = sink.host, .pid = sink.pid});
  sink.hasPidInName = name != expandFileName(pattern, {.host = sink.host, .pid = sink.pid + 1});
  std::string problem;
  sink.file = openOwnFile(name, Existing::Append, problem);
  if (!problem.empty())
    complaint += formatText("{}ULYSSES_DEBUG_FILE={}: {} cannot be written: {}; the log goes to standard error",
                            complaint.empty() ? "" : "; ", pattern, name, problem);
}

/// Two threads that come first at once both make one; the loser's is dropped, with the complaint it would repeat.
const Sink* makeSink(const Sink* before) {
  auto made = std::make_unique<Sink>();
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  made->host = host;
  made->pid = getpid();
  made->before = before;
  Choice choice = choose(env::text("ULYSSES_DEBUG"), env::text("ULYSSES_DEBUG_SUBSYS"));
  made->level = choice.level;
  made->subsystems = choice.subsystems;
  openFile(*made, choice.complaint);
  if (!current.compare_exchange_strong(before, made.get())) return before;
  const Sink* sink = made.release();
  detail::traced.store(sink->level == Level::Trace ? sink->subsystems : 0, std::memory_order_relaxed);
  if (!choice.complaint.empty() && sink->level >= Level::Warn)
    writeLine(*sink, Level::Warn, Subsystem::Env, choice.complaint);
  return sink;
}

const Sink& sinkNow() {
  const Sink* sink = current.load(std::memory_order_acquire);
  if (sink && (!sink->hasPidInName || sink->pid == getpid())) return *sink;
  return *makeSink(sink);
}

}  // namespace

Choice choose(const char* level, const char* subsystems) {
  Choice choice;
  if (level) {
    const int index = indexIn(kLevels, level);
    if (index >= 0)
      choice.level = static_cast<Level>(index);
    else
      choice.complaint = formatText("ULYSSES_DEBUG={}: want one of {}; taken as WARN", level, listOf(kLevels));
  }
  if (subsystems) choice.subsystems = subsystemsOf(subsystems, choice.complaint);
  return choice;
}

void start() noexcept { shows(Level::Trace, Subsystem::Init); }

bool shows(Level level, Subsystem subsystem) noexcept {
  try {
    const Sink& sink = sinkNow();
    return level <= sink.level && (level <= Level::Warn || (sink.subsystems & static_cast<uint32_t>(subsystem)) != 0);
  } catch (...) {
    return false;
  }
}

void detail::write(Level level, const About& about, fmt::string_view text, fmt::format_args arguments) noexcept {
  try {
    writeLine(sinkNow(), level, about, ulysses::detail::formatArguments(text, arguments));
  } catch (...) {  // out of memory while logging: the message is lost, the program is not
  }
}

void showVersion(uint32_t versionCode) noexcept {
  static std::atomic<bool> shown{false};
  if (!shows(Level::Version, Subsystem::Init) || shown.exchange(true)) return;
  const bool asked = shows(Level::Info, Subsystem::Init) || !shows(Level::Warn, Subsystem::Init);
  if (!asked) return;
  message(Level::Version, Subsystem::Init, "libulysses_coll {}.{}.{}", versionCode / 10000, versionCode / 100 % 100,
          versionCode % 100);
}

}  // namespace ulysses::log
