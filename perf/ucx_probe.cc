// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "ucx_probe.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <sstream>
#include <string>

#include "error.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int kDeadlineMs = 10'000;
constexpr int kEndMs = 1000, kStepMs = 2;  // how long it may take to end once it has closed its output
constexpr int kNotFound = 127;             // as a shell says it
constexpr const char* kLibrary = "libucp.so.0";

struct Output {
  int status = 0;  // of waitpid
  bool late = false;
  std::string text;
};

// What the child writes until it closes its end or the deadline passes.
bool readUntil(int fd, Clock::time_point deadline, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd event{fd, POLLIN, 0};
    if (left <= 0 || poll(&event, 1, static_cast<int>(left)) == 0) return false;
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

// A process of its own: UCX installs signal handlers and starts threads when it is loaded, and a driver may hang.
template <typename Body>
Output inChild(Body body) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throwErrno("pipe2");
  const pid_t child = fork();
  if (child < 0) throwErrno("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    body();
    _exit(kNotFound);
  }
  close(ends[1]);
  Output output;
  output.late = !readUntil(ends[0], Clock::now() + std::chrono::milliseconds(kDeadlineMs), output.text);
  close(ends[0]);
  for (int waited = 0; waited < kEndMs && !output.late; waited += kStepMs) {
    if (waitpid(child, &output.status, WNOHANG) == child) return output;
    (void)poll(nullptr, 0, kStepMs);
  }
  kill(child, SIGKILL);  // it has said all, or nothing
  waitpid(child, &output.status, 0);
  return output;
}

[[noreturn]] void sayVersion() {
  std::string text;
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  void* symbol = library != nullptr ? dlsym(library, "ucp_get_version_string") : nullptr;
  if (symbol != nullptr)
    text = std::string("+") + reinterpret_cast<const char* (*)()>(symbol)();
  else
    text = std::string("-") + dlerror();
  _exit(write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

ordered_json libraryJson() {
  const Output output = inChild(sayVersion);
  const bool isLoaded = output.text.starts_with("+");
  std::string problem;
  if (output.text.empty())
    problem = output.late ? fmt::format("loading {} took longer than {} ms", kLibrary, kDeadlineMs)
                          : fmt::format("loading {} ended the process that tried", kLibrary);
  else if (!isLoaded)
    problem = output.text.substr(1);
  return {{"name", kLibrary},
          {"loads", isLoaded},
          {"version", isLoaded ? ordered_json(output.text.substr(1)) : ordered_json(nullptr)},
          {"problem", problem.empty() ? ordered_json(nullptr) : ordered_json(problem)}};
}

// What stands behind "#   key: " in a line.
std::string valueOf(const std::string& line, const std::string& key) {
  const size_t at = line.find(key + ": ");
  if (at == std::string::npos || line.find_first_not_of("# ") != at) return "";
  return line.substr(at + key.size() + 2);
}

// In the order of the output; a transport that has several devices is listed once for each there.
ordered_json transportsOf(const std::string& text) {
  ordered_json list = ordered_json::array();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (const std::string transport = valueOf(line, "Transport"); !transport.empty()) {
      if (list.empty() || list.back()["transport"] != transport)
        list.push_back({{"transport", transport}, {"devices", ordered_json::array()}});
    } else if (const std::string device = valueOf(line, "Device"); !device.empty() && !list.empty()) {
      list.back()["devices"].push_back(device);
    }
  }
  return list;
}

ordered_json devicesJson() {
  const Output output = inChild([] { execlp("ucx_info", "ucx_info", "-d", nullptr); });
  const ordered_json transports = transportsOf(output.text);
  std::string problem;
  if (output.late)
    problem = fmt::format("ucx_info -d took longer than {} ms", kDeadlineMs);
  else if (WIFEXITED(output.status) && WEXITSTATUS(output.status) == kNotFound)
    problem = "ucx_info is not in PATH (Debian: ucx-utils)";
  else if (transports.empty())
    problem = "ucx_info -d names no transport";
  return {{"from", problem.empty() ? ordered_json("ucx_info -d") : ordered_json(nullptr)},
          {"transports", problem.empty() ? transports : ordered_json(nullptr)},
          {"problem", problem.empty() ? ordered_json(nullptr) : ordered_json(problem)}};
}

}  // namespace

ordered_json probeUcx() { return {{"library", libraryJson()}, {"devices", devicesJson()}}; }

}  // namespace ulysses::perf
