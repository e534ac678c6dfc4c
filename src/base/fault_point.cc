// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/fault_point.h"

#if defined(ULYSSES_FAULT_POINTS)
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>

namespace ulysses {
namespace {

struct Wish {
  std::string name, action;
  int times = 1;
};

Wish parse(const std::string& text) {
  const size_t colon = text.find(':'), second = text.find(':', colon + 1);
  if (colon == std::string::npos) return {};
  const int times = second == std::string::npos ? 1 : std::atoi(text.c_str() + second + 1);
  return {text.substr(0, colon), text.substr(colon + 1, second - colon - 1), times};
}

bool act(const std::string& action) {
  if (action == "fail") return true;
  if (action == "kill") raise(SIGKILL);
  if (action == "stop") raise(SIGSTOP);
  if (action == "abort") std::abort();
  if (action == "segv") raise(SIGSEGV);
  if (action == "exit") _exit(7);
  usleep(static_cast<useconds_t>(std::atoi(action.c_str())) * 1000);
  return false;
}

/// Whether the wish is for here and now. Read anew each time: a test sets it in a process that it has forked.
bool isDue(const char* name, std::string& action) {
  static std::mutex mutex;
  static std::string last;
  static int reached = 0;
  const char* text = std::getenv("ULYSSES_TEST_POINT");
  if (!text) return false;
  const Wish wish = parse(text);
  if (wish.name != name) return false;
  const std::lock_guard lock(mutex);
  if (last != text) last = text, reached = 0;
  action = wish.action;
  return ++reached == wish.times;
}

}  // namespace

bool faultPoint(const char* name) noexcept {
  std::string action;
  return isDue(name, action) && act(action);
}

}  // namespace ulysses
#endif
